//! Ways round the proxy, each tried from inside an agent.

mod direct;
