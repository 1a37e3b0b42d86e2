"""Checks a manifest of `reproduce --launcher kubernetes`: by the schemas, strictly, so that an unknown field is an error;
that a broken manifest is found; and that the command of a pod runs, with its index as Kubernetes gives it.

A field that a version does not know is dropped by it or refused, so the oldest version here is what the manifest needs.
"""

import argparse
import copy
import json
import os
import subprocess
import sys

import kubernetes_validate

# backoffLimitPerIndex and FailIndex are on by default from 1.29 on.
OLDEST = "1.29"


def fails(item: dict, version: str) -> bool:
    try:
        kubernetes_validate.validate(item, version, strict=True)
    except kubernetes_validate.ValidationError:
        return True
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("manifest")
    arguments = parser.parse_args()
    with open(arguments.manifest, encoding="utf-8") as file:
        manifest = json.load(file)
    assert (manifest["apiVersion"], manifest["kind"]) == ("v1", "List"), manifest
    versions = [OLDEST, kubernetes_validate.latest_version()]
    for version in versions:
        for item in manifest["items"]:
            kubernetes_validate.validate(item, version, strict=True)
    runs, report = manifest["items"]

    # A check that accepts everything shows nothing.
    broken = copy.deepcopy(runs)
    broken["spec"]["completions"] = "many"
    unknown = copy.deepcopy(runs)
    unknown["spec"]["template"]["spec"]["containers"][0]["colour"] = "blue"
    for wrong in (broken, unknown):
        assert all(fails(wrong, version) for version in versions), wrong

    # What schemas do not know: each rule of the failure policy is about a container that is there, and only what has a bound
    # per index may fail an index.
    spec = runs["spec"]
    names = [container["name"] for container in spec["template"]["spec"]["containers"]]
    for rule in spec["podFailurePolicy"]["rules"]:
        assert rule.get("onExitCodes", {}).get("containerName", names[0]) in names, rule
    assert spec["backoffLimitPerIndex"] >= 1 and spec["completionMode"] == "Indexed", spec
    assert spec["template"]["spec"]["restartPolicy"] == "Never", spec
    assert report["spec"]["suspend"] is True, report

    command = runs["spec"]["template"]["spec"]["containers"][0]["command"]
    for index in (0, spec["completions"] - 1):
        environment = {**os.environ, "JOB_COMPLETION_INDEX": str(index)}
        subprocess.run([arguments.program, "--quiet", *command[1:]], check=True, env=environment)
    beyond = {**os.environ, "JOB_COMPLETION_INDEX": str(spec["completions"])}
    ended = subprocess.run([arguments.program, *command[1:]], env=beyond, capture_output=True, text=True, check=False)
    # The code that the failure policy does not retry.
    assert ended.returncode == 2, (ended.returncode, ended.stderr)
    finished = [run for run in os.listdir("reports/runs") if os.path.exists(f"reports/runs/{run}/record.json")]
    assert len(finished) == 2, finished
    print(f"manifest of {spec['completions']} runs: valid for Kubernetes {' and '.join(versions)}; its pods' command runs")


if __name__ == "__main__":
    sys.exit(main())
