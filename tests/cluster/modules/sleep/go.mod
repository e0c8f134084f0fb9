// What the containers of the tests run.
module pullgate.dev/tests/cluster/sleep

go 1.26.0
