//! Ports of the proxy in an agent pod, and of the controller.

/// Captured TCP, on the pod's loopback.
pub const CAPTURE: u16 = 15001;
/// Captured DNS, UDP and TCP, on the pod's loopback.
pub const DNS: u16 = 15053;
/// The proxy's health and metrics, on the pod's addresses.
pub const OPS: u16 = 15020;
/// TCP that the agent opened to one of the proxy's own ports, on the pod's loopback: counted and
/// reset.
pub const REFUSED: u16 = 15021;
/// All ports of the proxy: nothing else in an agent pod may declare one of them.
pub const OF_THE_PROXY: [u16; 4] = [CAPTURE, DNS, OPS, REFUSED];

/// The control API, at the controller and at the Services `exeat-publish` and `exeat-collect`.
pub const CONTROL: u16 = 8443;
/// The webhooks, at the controller.
pub const ADMISSION: u16 = 9443;
/// The webhooks, at the Service `exeat-admission`.
pub const ADMISSION_SERVICE: u16 = 443;
/// The controller's health and metrics.
pub const CONTROLLER_OPS: u16 = 8080;
