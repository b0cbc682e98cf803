"""``genctl train``: start a run, continue it, or do nothing."""

from genctl.common import files
from genctl.common.devices import choose_device
from genctl.common.errors import CannotCreate
from genctl.common.reporting import Reporter
from genctl.common.signals import SignalFlags, signal_flags
from genctl.config import config as configs
from genctl.runs import early_end
from genctl.runs.continuation import report_new_budget, require_genctl_run, settled_result
from genctl.runs.run import Run
from genctl.training.process_group import ProcessGroup, process_group
from genctl.training.session import Result, Session, TrainRequest


def train(request: TrainRequest, reporter: Reporter) -> Result:
    """Train until the budget is spent, from the beginning or from where the run is.

    Returns:
        The JSON of the contract: run, status, images, seconds, images_per_second, model, samples,
        metrics.

    Raises:
        GenctlError: with the exit code that scripts rely on.
        SystemExit: in all processes but the first, with the exit code of the first.
    """
    with signal_flags() as signals, process_group(request.device) as group:
        if group.is_main:
            with group.exit_sent_to_others():
                return _train(request, signals, group, reporter)
        with signals.deferred():  # rank 0 obeys signals, and ends the others
            Session(request, Run(request.path), signals, group, reporter).run_worker()
        raise AssertionError("the exit code of rank 0 ends the other processes")


def _train(
    request: TrainRequest, signals: SignalFlags, group: ProcessGroup, reporter: Reporter
) -> Result:
    """Train as rank 0, which reads and writes the run directory."""
    run = Run(request.path)
    if run.exists:
        require_genctl_run(run)
    if request.fresh and run.path.exists():
        if not run.exists:
            raise CannotCreate(
                f"cannot use {run}: it is not a run of genctl; choose another --name"
            )
        reporter.info(f"renamed the old run to {run.move_aside()}")
    if not run.exists:
        choose_device(request.device)  # before anything is created
    run.create()
    # Asked twice: first without the lock, whose files would be a trace in a complete run.
    if result := _settled(run, request, reporter):
        return result
    with run.locked():
        # Another process may have finished the run in the meantime.
        if result := _settled(run, request, reporter):
            return result
        if run.exists:
            report_new_budget(run, request.config, reporter)
        if run.read_result().get("status") == "complete":  # and is trained on
            early_end.forget(run)
            run.result.unlink()  # before its budget changes: a complete run is judged by that
        files.atomic_write(run.config, configs.dump(request.config).encode())
        return Session(request, run, signals, group, reporter).run_main()


def _settled(run: Run, request: TrainRequest, reporter: Reporter) -> Result | None:
    """The result of a run with nothing left to do, which is reported."""
    result = settled_result(run, request.config, request.max_time, request.pause_at)
    if result and result["status"] == "complete":
        reporter.info(f"{run} is already complete")
    elif result:
        reporter.info(f"{run} is already paused after {result['images']:,} images")
    return result
