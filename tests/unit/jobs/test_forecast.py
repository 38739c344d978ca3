import pytest

from evalkit.errors import EvalkitError
from evalkit.jobs.forecast import Machines, Pilot, forecast

MB = 10**6


def pilot(n, *, square=False, memory=100 * MB):
    """What a machine with 2 s of start-up, 0.1 s of a model and 0.01 s of reading for each image would show."""
    stages = {"open": 1.0, "model": 0.1 * n, "read": 0.01 * n, "aggregate": 1e-4 * n**2 if square else 1e-3 * n}
    wall = 2.0 + sum(stages.values())
    return Pilot(n, wall, stages, memory, 1000 * n, cpu=2 * wall, rows=100 * n, square=square)


@pytest.mark.parametrize("n", [10, 1000, 10**6])
def test_a_linear_job_is_forecast_exactly(n):
    (found,) = forecast([pilot(10), pilot(50)], [n])
    truth = pilot(n)
    assert found.seconds == pytest.approx(truth.wall)
    assert found.cpu_hours == pytest.approx(truth.cpu / 3600)
    assert found.disk == pytest.approx(truth.disk)


def test_what_compares_all_with_all_grows_with_the_square():
    (found,) = forecast([pilot(10, square=True), pilot(50, square=True)], [10**5])
    assert found.seconds == pytest.approx(pilot(10**5, square=True).wall, rel=1e-6)
    assert found.bound == "aggregate"


def test_the_bound_moves_from_start_up_to_the_longest_stage():
    small, large = forecast([pilot(10), pilot(50)], [2, 10**4])
    assert (small.bound, large.bound) == ("start-up", "model")


def test_workers_shorten_what_is_shared_and_a_stated_device_replaces_a_stage():
    pilots = [pilot(10), pilot(50)]
    (one,), (eight,) = forecast(pilots, [10**5]), forecast(pilots, [10**5], Machines(8))
    assert eight.seconds == pytest.approx(3 + 10**5 * (0.11 / 8 + 0.001))
    assert one.gpu_hours == 0
    (other,) = forecast(pilots, [10**5], Machines(2, {"model": 1000.0}))
    assert other.stages["model"] == pytest.approx(50.0)
    assert other.gpu_hours == pytest.approx(other.seconds * 2 / 3600)


def test_memory_grows_as_measured_or_as_rows_are_large_where_growth_is_noise():
    flat, grown = [pilot(10), pilot(50)], [pilot(10), pilot(50, memory=500 * MB)]
    assert forecast(flat, [1050])[0].memory == pytest.approx(100 * MB + 1000 * 100)
    assert forecast(grown, [1050])[0].memory == pytest.approx(500 * MB + 1000 * 10 * MB)


def test_files_that_are_kept_up_to_a_number_take_no_more_room_in_larger_runs():
    small, large = Pilot(10, 3.0, {}, MB, 1100, rows=100, files=10), Pilot(50, 4.0, {}, MB, 2500, rows=500, files=20)
    assert forecast([small, large], [1000])[0].disk == pytest.approx(10_000 + 2000)


def test_a_run_below_the_pilot_leaves_less_than_the_pilot():
    small, large = Pilot(10, 3.0, {}, MB, 1100, rows=100, files=10), Pilot(50, 4.0, {}, MB, 2500, rows=500, files=20)
    assert forecast([small, large], [30, 1])[0].disk == pytest.approx(300 + 1500)


def test_files_of_every_image_take_room_in_larger_runs_though_a_run_has_some_of_its_own():
    small, large = Pilot(16, 3.0, {}, MB, 16 * MB, files=2 * 16 + 6), Pilot(48, 4.0, {}, MB, 48 * MB, files=2 * 48 + 6)
    assert forecast([small, large], [1000])[0].disk == pytest.approx(1000 * MB)


def test_hours_of_cpus_come_from_the_stages_where_the_start_hides_the_work():
    pilots = [Pilot(10, 3.0, {"model": 1.0}, MB, 0, cpu=2.1), Pilot(20, 4.0, {"model": 2.0}, MB, 0, cpu=2.0)]
    assert forecast(pilots, [1020])[0].cpu_hours == pytest.approx((2.0 + 0.5 * 0.1 * 1000) / 3600)


def test_a_machine_that_others_use_makes_no_work_of_waiting():
    pilots = [Pilot(10, 6.0, {"model": 4.0}, MB, 0, cpu=1.1), Pilot(20, 10.0, {"model": 8.0}, MB, 0, cpu=1.2)]
    assert forecast(pilots, [1020])[0].cpu_hours == pytest.approx((1.2 + 0.12 * 0.4 * 1000) / 3600)


def test_one_size_is_no_line():
    with pytest.raises(EvalkitError, match="two sizes"):
        forecast([pilot(10), pilot(10)], [100])
