//! Framework of the tests on a real cluster.
