"""The manifests in deploy/kubernetes fit Kubernetes' own schemas, each other, and Oxide."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from config.reading import read
from oxide_project import settings, variables
from tests.deploying.image import instructions
from tests.deploying.machine import STANDINS
from tests.docs.pages import DOCS
from tests.documents import blocks_of
from tests.live import ROOT, LiveOxide

(APPLY,) = blocks_of(DOCS / "deploying" / "kubernetes.md")
VERSIONS = ("1.28.0", "1.37.0")
MANIFESTS: dict[str, dict[str, Any]] = {
    path.stem: yaml.safe_load(path.read_text()) for path in sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
}
KNOWN = {variable.name for group in variables.GROUPS.values() for variable in group}
DEPLOYMENT = MANIFESTS["deployment"]["spec"]
POD = DEPLOYMENT["template"]["spec"]
(CONTAINER,) = POD["containers"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", MANIFESTS)
def test_it_fits_the_schema(name: str, version: str) -> None:
    kubernetes_validate.validate(MANIFESTS[name], version, strict=True)


def test_the_schema_would_tell_a_mistake() -> None:
    wrong = yaml.safe_load(yaml.safe_dump(MANIFESTS["deployment"]))
    wrong["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_all_mean_the_same_pods() -> None:
    labels = DEPLOYMENT["template"]["metadata"]["labels"]
    assert DEPLOYMENT["selector"]["matchLabels"] == labels
    assert MANIFESTS["service"]["spec"]["selector"] == labels
    assert MANIFESTS["poddisruptionbudget"]["spec"]["selector"]["matchLabels"] == labels
    assert MANIFESTS["prune"]["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"] != labels


def test_the_network_policy_is_about_the_pods_and_keeps_them_from_metadata() -> None:
    policy = MANIFESTS["networkpolicy"]["spec"]
    assert policy["podSelector"]["matchLabels"] == DEPLOYMENT["selector"]["matchLabels"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    (port,) = CONTAINER["ports"]
    assert [each["port"] for each in policy["ingress"][0]["ports"]] == [port["name"]]
    (outside,) = [to["ipBlock"] for rule in policy["egress"] for to in rule["to"] if "ipBlock" in to]
    assert "169.254.0.0/16" in outside["except"]


def test_servers_are_reached_with_passwords_and_oxide_refuses_those_of_the_example(live: LiveOxide) -> None:
    secrets = MANIFESTS["secret.example"]["stringData"]
    for name in ("OXIDE_SECRET_KEY", "DATABASE_URL", "REDIS_URL"):
        live.environment = {name: secrets[name]}
        live.write_config()
        done = live.run("serve", check=False)
        assert done.returncode != 0
        assert f"oxide: {name} " in done.stderr
        assert "example" in done.stderr


def test_it_is_the_image_of_the_dockerfile() -> None:
    written = dict(instructions())
    context = POD["securityContext"]
    assert written["USER"] == f"{context['runAsUser']}:{context['runAsGroup']}"
    (port,) = CONTAINER["ports"]
    assert written["EXPOSE"] == str(port["containerPort"])
    assert written["VOLUME"] in {mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert "command" not in CONTAINER


def test_calls_in_flight_have_time_to_end() -> None:
    pause = int(CONTAINER["lifecycle"]["preStop"]["exec"]["command"][1])
    drain = int(MANIFESTS["configmap"]["data"]["OXIDE_DRAIN_SECONDS"])
    assert POD["terminationGracePeriodSeconds"] >= pause + drain + 10
    assert drain == settings.DRAIN_SECONDS


def test_oxide_knows_every_variable_and_the_configuration(tmp_path: Path) -> None:
    data = dict(MANIFESTS["configmap"]["data"])
    (tmp_path / "oxide.yaml").write_text(data.pop("oxide.yaml"))
    keys = {service.api_key_env for service in read(tmp_path / "oxide.yaml").services.values()}
    assert {*data, *MANIFESTS["secret.example"]["stringData"]} - keys <= KNOWN


def test_its_probes_are_answered_by_the_address_of_a_pod(live: LiveOxide) -> None:
    live.environment |= {name: MANIFESTS["configmap"]["data"][name] for name in ("OXIDE_HTTPS", "OXIDE_ALLOWED_HOSTS")}
    live.start()
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        path = CONTAINER[probe]["httpGet"]["path"]
        assert live.get(path, headers={"Host": "10.1.2.3:8000"}, allow_redirects=False).status_code == 200


def test_the_guide_applies_all_manifests_and_finds_the_first_password(live: LiveOxide, tmp_path: Path) -> None:
    live.start()
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    kubectl = tmp_path / "programs" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text(f"#!{sys.executable}\n{(STANDINS / 'kubectl.py').read_text()}")
    kubectl.chmod(0o755)
    environment = {"PATH": f"{kubectl.parent}:{os.environ['PATH']}", "SAID": str(live.output)}
    command = ["bash", "-euo", "pipefail", "-c", APPLY.code]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True, timeout=60
    )
    assert re.search(r"Made the user admin with the password \S+", done.stdout)
    applied = (tmp_path / "deploy" / "kubernetes" / "applied").read_text().splitlines()
    needed = [manifest for name, manifest in MANIFESTS.items() if name != "ingress.example"]
    assert sorted(applied) == sorted(f"{each['kind'].lower()}/{each['metadata']['name']}" for each in needed)
