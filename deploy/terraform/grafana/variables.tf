variable "pack" {
  description = "The directory that `magento-exporter pack --out` wrote: dashboards and rules with your addresses."
  type        = string
}

variable "folder_title" {
  description = "The folder of dashboards and rules."
  type        = string
  default     = "Magento"
}

variable "folder_uid" {
  description = "Its address, which never changes."
  type        = string
  default     = "magento"
}

variable "rules" {
  description = <<-EOT
    Grafana's own copy of the alert rules: none, paused (to look at), or active. Active only where Prometheus does not
    have the rules of the pack as alerts, or every alert fires twice. The recordings stay in Prometheus.
  EOT
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "paused", "active"], var.rules)
    error_message = "rules is none, paused or active."
  }
}

variable "datasource_uid" {
  description = "The uid of Grafana's data source for that Prometheus; the rules ask it."
  type        = string
  default     = "prometheus"
}

variable "contact_point" {
  description = "The name of a contact point for the rules; empty for none. It needs one of the three ways below."
  type        = string
  default     = ""
}

variable "slack_url" {
  description = "A webhook of Slack."
  type        = string
  default     = ""
  sensitive   = true
}

variable "pagerduty_key" {
  description = "An integration key of PagerDuty (Events API v2)."
  type        = string
  default     = ""
  sensitive   = true
}

variable "email_addresses" {
  description = "Addresses to write to."
  type        = list(string)
  default     = []
}
