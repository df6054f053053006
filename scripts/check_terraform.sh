#!/usr/bin/env bash
# Checks deploy/terraform: fmt, validate, and plans against the schema of Grafana's provider, which
# tools/terraform-stub serves without a Grafana (its binary cannot be had here). Needs terraform, go and the schema.
set -euo pipefail
cd "$(dirname "$0")/.."

schemas=${SCHEMAS:-../shared/schemas}/terraform-provider-grafana.json
for need in terraform go; do
    command -v "$need" >/dev/null || { echo "left out: no $need here"; exit 0; }
done
[ -f "$schemas" ] || { echo "left out: no schema of the provider ($schemas)"; exit 0; }

stub=build/terraform
mkdir -p "$stub"
work=$(mktemp -d -t terraform.XXXXXX)
trap 'rm -rf "$work"' EXIT
if [ tools/terraform-stub/main.go -nt "$stub/terraform-provider-grafana" ]; then
    (cd tools/terraform-stub && go mod download) || { echo "left out: the stub's modules cannot be had here"; exit 0; }
    (cd tools/terraform-stub && CGO_ENABLED=0 go build -trimpath -o "../../$stub/terraform-provider-grafana" .)
fi
printf 'provider_installation {\n  dev_overrides {\n    "grafana/grafana" = "%s"\n  }\n  direct {}\n}\n' "$PWD/$stub" \
    >"$work/cli.tfrc"
export TF_CLI_CONFIG_FILE="$work/cli.tfrc" TF_DATA_DIR="$work/data" TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1
export SCHEMA ADDRESS=registry.terraform.io/grafana/grafana
SCHEMA=$(realpath "$schemas")

terraform fmt -check -recursive deploy/terraform
.venv/bin/magento-exporter pack --out "$work/pack" --shop shop.example --runbook-base https://exporter.example/runbooks/ \
    --grafana-base https://grafana.example >/dev/null
cp -r deploy/terraform "$work/terraform"
cd "$work/terraform/example"
terraform get >/dev/null
plan() { terraform plan -no-color -input=false -var grafana_url=https://grafana.example -var grafana_token=x -var "pack=$work/pack" "$@" 2>&1; }
failed() { sed -n "/Error:/,\$p" <<<"$1" >&2; exit 1; } # a plan is thousands of lines
refused() { # the words of the refusal, then the arguments of the plan
    words=$1
    shift
    if said=$(plan "$@"); then echo "check_terraform: not refused: $words" >&2; exit 1; fi
    tr '\n│' '  ' <<<"$said" | tr -s ' ' | grep -qF "$words" || { failed "$said"; }
}

terraform validate -no-color >/dev/null
dashboards=$(find "$work/pack/grafana/dashboards" -name '*.json' | wc -l)
groups=$(grep -c '^  - orgId:' "$work/pack/grafana/provisioning/alerting/magento.yaml")
said=$(plan) || { failed "$said"; }
grep -F "Plan: $((1 + dashboards + groups)) to add" <<<"$said" || { failed "$said"; }
grep -q 'is_paused *= true' <<<"$said" && ! grep -q 'is_paused *= false' <<<"$said"
said=$(plan -var slack_url=https://hooks.example/planted) || { failed "$said"; }
grep -F "Plan: $((2 + dashboards + groups)) to add" <<<"$said" || { failed "$said"; }
! grep -F planted <<<"$said"

# A mistake must not pass the stub either.
sed -i 's/rules         = "paused"/rules = "sometimes"/' main.tf
refused "rules is none, paused or active."
sed -i 's/rules = "sometimes"/rules = "none"\n  email_addresses = []/; s/contact_point = .*/contact_point = "nobody"/' main.tf
refused "A contact point needs slack_url, pagerduty_key or email_addresses."
sed -i 's/overwrite   = true/overwritten = true/' ../grafana/main.tf
refused 'An argument named "overwritten" is not expected here'
echo "terraform: fmt, validate, two plans, three mistakes refused"
