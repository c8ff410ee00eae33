"""The stack itself: starts, takes what a template adds, complains clearly, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from infra.local.client import LocalStack
from infra.local.errors import LocalStackError, Unresolvable
from infra.local.expand import expand
from infra.local.intrinsics import Resolver
from infra.local.options import Options
from infra.local.template import Template
from tests.stack.local.conftest import APP
from tests.support.waiting import eventually

MORE = """
  NewQueue:
    Type: AWS::SQS::Queue
  NewFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: echo/
      Handler: handler.handler
      Environment: { Variables: { NEW_QUEUE: !Ref NewQueue, GREETING: overridden below } }
      Events:
        New: { Type: Api, Properties: { RestApiId: !Ref Api, Path: /new, Method: GET } }
"""


ROOT = APP.parents[3]
STARTER = """
import pathlib, sys, threading
from infra.local.client import LocalStack

with LocalStack(template=pathlib.Path(sys.argv[1])) as stack:
    print(stack.pid, flush=True)
    threading.Event().wait()
"""


def is_running(pid: int) -> bool:
    """Tell whether a process exists and is no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)  # noqa: S603, S607 - POSIX
    return bool(state.stdout.strip()) and not state.stdout.startswith("Z")


def descendants(pid: int) -> set[int]:
    """Return every process that a process started, directly or not."""
    table = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)  # noqa: S607 - POSIX
    parents = {
        int(child): int(parent) for child, parent in (line.split() for line in table.stdout.splitlines())
    }
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def test_what_a_template_adds_exists_without_another_line(tmp_path: Path) -> None:
    """A function, a route, a queue, a parameter, and a caller's variable that overrides the template's."""
    for folder in ("echo", "worker", "tick", "stream", "layer"):
        (tmp_path / folder).symlink_to(APP / folder)
    template = tmp_path / "template.yaml"
    template.write_text((APP / "template.yaml").read_text() + MORE)

    with LocalStack(
        template=template,
        parameters={"WithExtra": "yes"},
        environment={"FOR_ALL": "1"},
        caller={"PATH": os.environ["PATH"], "GREETING": "mine", "MODEL_BASE_URL": "http://model"},  # noqa: TID251 - a caller's
    ) as stack:
        seen = httpx.get(f"{stack.url}/new").json()["environment"]

        assert seen["NEW_QUEUE"] == stack.physical_id("NewQueue")
        assert stack.physical_id("ExtraQueue").endswith("/local-ExtraQueue")
    assert (seen["GREETING"], seen["FOR_ALL"], seen["MODEL_BASE_URL"]) == ("mine", "1", "http://model")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_is_left(how: signal.Signals) -> None:
    """Asked to stop, or killed: functions, a web server's own children and moto all go, frozen ones too."""
    with LocalStack(template=APP / "template.yaml") as stack:
        httpx.get(f"{stack.url}/items/1")
        httpx.get(f"{stack.url}/stream/told")
        started = descendants(stack.pid)
        assert {process["pid"] for process in stack.processes()} <= started

        os.kill(stack.pid, how)

        eventually(lambda: not any(map(is_running, started)))


def test_a_stack_ends_with_whoever_started_it() -> None:
    """A test run that is killed leaves nothing running either."""
    starter = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", STARTER, str(APP / "template.yaml")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())

    starter.kill()

    eventually(lambda: not is_running(pid))
    starter.wait()
    starter.stdout.close()


def test_a_port_in_use_is_one_clear_line() -> None:
    """And exit code 1, before anything else was started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "infra.local", "--template", str(APP / "template.yaml"), "--port", port],
            capture_output=True,
            text=True,
        )

    assert ended.returncode == 1
    complaint = f"port {port} cannot be used (Address already in use); choose another: PORT=8788 make up"
    assert ended.stderr == f"local stack: {complaint}\n"


def test_an_unknown_parameter_is_refused() -> None:
    """A misspelled override would otherwise be ignored."""
    with pytest.raises(LocalStackError, match="no parameter Greting"):
        expand(APP / "template.yaml", {"Greting": "hi"})


class Known:
    """Resources of which only Ref is known."""

    def ref(self, name: str) -> str:
        return f"<{name}>"

    def attribute(self, name: str, attribute: str) -> str:
        raise KeyError(name, attribute)


RESOLVE = Resolver(
    Template(
        resources={"Thing": {"Type": "AWS::Some::Thing"}},
        parameters={"Size": "3", "Names": ["a", "b"]},
        conditions={"Big": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Size"}, 3]}]}},
        mappings={"Map": {"3": {"name": "three"}}},
    ),
    Known(),
)


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ({"Ref": "Thing"}, "<Thing>"),
        ({"Fn::Sub": "${Size} of ${Thing} ${!Kept} in ${AWS::Region}"}, "3 of <Thing> ${Kept} in us-east-1"),
        ({"Fn::Sub": ["${Own}", {"Own": {"Ref": "Size"}}]}, "3"),
        ({"Fn::Join": ["-", {"Ref": "Names"}]}, "a-b"),
        ({"Fn::Select": [1, {"Fn::Split": [",", "x,y"]}]}, "y"),
        ({"Fn::If": ["Big", "big", "small"]}, "small"),
        ({"Fn::FindInMap": ["Map", {"Ref": "Size"}, "name"]}, "three"),
        ([{"Ref": "AWS::NoValue"}, {"a": {"Fn::If": ["Big", 1, {"Ref": "AWS::NoValue"}]}}], [{}]),
    ],
)
def test_intrinsic_functions_have_their_values(value: object, resolved: object) -> None:
    """As CloudFormation resolves them."""
    assert RESOLVE(value, "Here.Property") == resolved


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"Fn::GetAtt": ["Thing", "Arn"]}, "Here.Property: Arn of Thing .AWS::Some::Thing. is not known"),
        ({"Ref": "Nothing"}, "Here.Property: there is no resource or parameter Nothing"),
        ({"a": {"Fn::ImportValue": "x"}}, "Here.Property.a: Fn::ImportValue has no value on this machine"),
    ],
)
def test_what_has_no_value_names_the_place(value: object, complaint: str) -> None:
    """The message says which resource and property to look at."""
    with pytest.raises(Unresolvable, match=complaint):
        RESOLVE(value, "Here.Property")


def test_the_environment_of_a_function_has_an_order() -> None:
    """Template, then the caller's variables of the same name, then what was given for all."""
    options = Options(caller={"A": "caller", "B": "caller", "OTHER": "caller"}, environment={"B": "given"})

    assert options.function_environment({"A": "template", "B": "template", "C": "template"}) == {
        "A": "caller",
        "B": "given",
        "C": "template",
    }
