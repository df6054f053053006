# magento-exporter pack --out pack --shop shop.example --runbook-base ... --grafana-base ...
# terraform init && terraform plan -var grafana_url=https://grafana.example -var grafana_token=...
terraform {
  required_providers {
    grafana = {
      source  = "grafana/grafana"
      version = ">= 3.7"
    }
  }
}

variable "grafana_url" {
  type = string
}

variable "grafana_token" {
  type      = string
  sensitive = true
}

variable "pack" {
  type    = string
  default = "pack"
}

variable "slack_url" {
  type      = string
  default   = ""
  sensitive = true
}

provider "grafana" {
  url  = var.grafana_url
  auth = var.grafana_token
}

module "magento" {
  source = "../grafana"

  pack          = var.pack
  rules         = "paused"
  contact_point = nonsensitive(var.slack_url != "") ? "Shop on call" : ""
  slack_url     = var.slack_url
}
