//! What two sides of Exeat must agree on, each defined once and used by both: what controller,
//! proxy and command line say to each other, and the names by which they, the chart and the cluster
//! know the same thing.
//!
//! Constants and plain values: no network, no Kubernetes, no runtime. The chart is YAML and repeats
//! some of them; `tests/chart.rs` compares.
//!
//! | module | what both sides know |
//! |---|---|
//! | [`paths`] | paths of the control API, of the webhooks, of health and metrics |
//! | [`messages`] | JSON bodies and queries of the control API |
//! | [`credentials`] | the stream of credentials, whose values nothing prints |
//! | [`snapshots`] | how the stream of snapshots keeps alive |
//! | [`audiences`] | audiences of tokens, and the right to read the audit |
//! | [`labels`] | labels and annotations of `exeat.dev` |
//! | [`pod`] | containers, volumes and files that are put into an agent pod |
//! | [`env`] | variables by which admission configures a proxy |
//! | [`ports`] | ports of proxy and controller |
//! | [`objects`] | names of objects of an installation |

pub mod audiences;
pub mod credentials;
pub mod env;
pub mod labels;
pub mod messages;
pub mod objects;
pub mod paths;
pub mod pod;
pub mod ports;
pub mod snapshots;
