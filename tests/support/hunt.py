"""Machines that have a rule taken out: somebody has to notice."""

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def hunt(machine: type[RuleBasedStateMachine], *, examples: int) -> None:
    """Run a machine until it fails, the same way every time; passes after so many examples."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
