# The users of a registry, by their passwords. Like every query, they are in the state.
variable "passwords" {
  type      = map(string)
  sensitive = true
}

# The query is a list that "user import" reads. A hash whose password is the same stays
# as it is in the file, so that the text changes only if a user or a password does.
data "external" "users" {
  program = ["sh", "-c", <<-EOT
    registryctl -q user import --format json --prune -f "$0" && jq -Rs '{htpasswd: .}' "$0"
  EOT
  , "${path.root}/registry.htpasswd"]
  query = var.passwords
}

output "htpasswd" {
  value     = data.external.users.result.htpasswd
  sensitive = true
}
