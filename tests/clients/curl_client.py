"""curl, as people type it. Usage: python3 curl_client.py http://127.0.0.1:8000

needs: prometheus_client
"""

import json
import shutil
import subprocess
import sys

from prometheus_client.parser import text_string_to_metric_families

ADDRESS = sys.argv[1]
HELLO = '{"messages":[{"role":"user","content":"Hello"}],"max_tokens":4}'


def curl(path, *arguments):
    command = ["curl", "--silent", "--show-error", "--max-time", "120", f"{ADDRESS}{path}", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def chat():
    # The content type is that of a form, as curl sends it where nobody says otherwise.
    assert json.loads(curl("/v1/chat/completions", "-d", HELLO))["choices"]
    keyed = curl("/v1/chat/completions", "-d", HELLO, "-H", "Authorization: Bearer x", "-H", "Content-Type: application/json")
    assert json.loads(keyed)["choices"]


def stream():
    lines = curl("/v1/chat/completions", "-N", "-d", HELLO[:-1] + ',"stream":true}').splitlines()
    assert lines[-2] == "data: [DONE]" and lines[0].startswith("data: {"), lines
    assert all(line == "" or line.startswith("data: ") for line in lines), lines


def methods():
    assert " 200 " in curl("/v1/models", "--head").splitlines()[0]
    preflight = ["-H", "Origin: https://a.example", "-H", "Access-Control-Request-Method: POST"]
    answer = curl("/v1/chat/completions", "-i", "-X", "OPTIONS", *preflight).lower()
    assert answer.startswith("http/1.1 200") and "access-control-allow-origin: *" in answer, answer
    status = ["-o", "/dev/null", "-w", "%{http_code}"]
    assert curl("/v1/chat/completions", *status) == "405"
    assert "/v1/chat/completions" in json.loads(curl("/chat/completions", "-d", HELLO))["error"]["message"]


def tokens():
    text = "What is Pi? 3.14159 \u00e9 \U0001f642"
    ids = json.loads(curl("/tokenize", "-d", json.dumps({"prompt": text, "add_special_tokens": False})))
    assert ids["count"] == len(ids["tokens"])
    assert json.loads(curl("/detokenize", "-d", json.dumps({"tokens": ids["tokens"]})))["prompt"] == text


def metrics():
    families = {family.name: family for family in text_string_to_metric_families(curl("/metrics"))}
    for name in ("vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc", "vllm:generation_tokens"):
        [sample] = families[name].samples
        assert sample.labels["model_name"] and sample.value >= 0, sample


if __name__ == "__main__":
    if shutil.which("curl") is None:
        print("skipped: there is no curl")
    else:
        for part in (chat, stream, methods, tokens, metrics):
            try:
                part()
            except Exception:
                print(f"failed: {part.__name__}", file=sys.stderr)
                raise
    print("curl: all as expected")
