//! All cases on a cluster, in one binary. `make test` runs it; by hand:
//! `cargo test --workspace --features exeat-e2e/cluster --test suite`, with the test cluster up and
//! the chart installed (`e2e/images/build --clients && e2e/cluster/cluster servers && e2e/install`).

mod admit;
mod audit;
mod bypass;
mod clients;
mod egress;
