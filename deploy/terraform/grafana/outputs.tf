output "dashboards" {
  description = "The address of each dashboard, by its file."
  value       = { for file, dashboard in grafana_dashboard.magento : basename(file) => dashboard.url }
}

output "folder_uid" {
  description = "For what else belongs into the folder."
  value       = grafana_folder.magento.uid
}
