#!/bin/sh
# Renders base/ and what the overlays add to it from the chart. First argument: the folder to write to, deploy/k8s itself by default.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
helm=${HELM:-$here/../validators/bin/helm}
out=${1:-$here}

render() { # file, further values, further options
  file=$out/$1 values=$2
  shift 2
  mkdir -p "$(dirname "$file")"
  "$helm" template freeway "$here/../helm/freeway" --namespace freeway --skip-tests -f "$here/values.yaml" -f "$values" "$@" > "$file"
}
render base/freeway.yaml "$here/values.yaml"
render overlays/dev/simulator.yaml "$here/overlays/dev/values.yaml" --show-only templates/simulator.yaml
render overlays/prod/ingress.yaml "$here/overlays/prod/values.yaml" --show-only templates/exposure.yaml
