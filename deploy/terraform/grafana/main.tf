locals {
  dashboards = fileset(var.pack, "grafana/dashboards/*.json")
  provided   = yamldecode(file("${var.pack}/grafana/provisioning/alerting/magento.yaml"))
  groups     = { for group in local.provided.groups : group.name => group if var.rules != "none" }
  # Which way is there is no secret, only its address is.
  slack     = nonsensitive(var.slack_url != "")
  pagerduty = nonsensitive(var.pagerduty_key != "")
}

resource "grafana_folder" "magento" {
  title = var.folder_title
  uid   = var.folder_uid
}

resource "grafana_dashboard" "magento" {
  for_each = local.dashboards

  folder      = grafana_folder.magento.uid
  config_json = file("${var.pack}/${each.value}")
  overwrite   = true
}

resource "grafana_rule_group" "magento" {
  for_each = local.groups

  name             = each.key
  folder_uid       = grafana_folder.magento.uid
  interval_seconds = 60

  dynamic "rule" {
    for_each = each.value.rules

    content {
      name            = rule.value.title
      uid             = rule.value.uid
      condition       = rule.value.condition
      for             = try(rule.value.for, "0s")
      keep_firing_for = try(rule.value.keepFiringFor, null)
      no_data_state   = rule.value.noDataState
      exec_err_state  = rule.value.execErrState
      is_paused       = var.rules != "active"
      labels          = rule.value.labels
      annotations = merge(rule.value.annotations, {
        "__dashboardUid__" = rule.value.dashboardUid
        "__panelId__"      = tostring(rule.value.panelId)
      })

      dynamic "data" {
        for_each = rule.value.data

        content {
          ref_id         = data.value.refId
          datasource_uid = data.value.datasourceUid == "__expr__" ? "__expr__" : var.datasource_uid
          model          = jsonencode(data.value.model)

          relative_time_range {
            from = data.value.relativeTimeRange.from
            to   = data.value.relativeTimeRange.to
          }
        }
      }
    }
  }
}

resource "grafana_contact_point" "magento" {
  count = var.contact_point == "" ? 0 : 1

  name = var.contact_point

  dynamic "slack" {
    for_each = local.slack ? [1] : []

    content {
      url = var.slack_url
    }
  }

  dynamic "pagerduty" {
    for_each = local.pagerduty ? [1] : []

    content {
      integration_key = var.pagerduty_key
    }
  }

  dynamic "email" {
    for_each = length(var.email_addresses) > 0 ? [1] : []

    content {
      addresses = var.email_addresses
    }
  }

  lifecycle {
    precondition {
      condition     = local.slack || local.pagerduty || length(var.email_addresses) > 0
      error_message = "A contact point needs slack_url, pagerduty_key or email_addresses."
    }
  }
}
