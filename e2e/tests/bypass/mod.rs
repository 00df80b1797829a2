//! Ways round the proxy, each tried from inside an agent.

mod by_dns;
mod connect_in;
mod container_root;
mod direct;
mod hidden_in_a_body;
mod init_container;
mod literals;
mod names_that_differ;
mod proxy_killed;
mod proxy_variables;
mod rebinding;
mod smuggling;
