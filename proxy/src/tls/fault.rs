//! Why the agent's client gave up a TLS handshake, as far as it lets that be known.

use rustls::{AlertDescription, Error};
use std::io;

/// The likely cause. Closed, so that it can label a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientFault {
    /// It does not know the pod's certificate authority.
    UnknownAuthority,
    /// It refused the certificate and did not say more: most often it pins another one, or does not
    /// trust the pod's authority.
    CertificateRefused,
    /// It and the proxy have no version or algorithm in common.
    NothingInCommon,
    /// It closed the connection without a word.
    Closed,
    /// It did not go on in time.
    Silent,
    /// What it sent is not TLS.
    Malformed,
    /// It sent another alert.
    Other,
}

impl ClientFault {
    /// Every cause, for metrics that begin at zero.
    pub const ALL: [Self; 7] = [
        Self::UnknownAuthority,
        Self::CertificateRefused,
        Self::NothingInCommon,
        Self::Closed,
        Self::Silent,
        Self::Malformed,
        Self::Other,
    ];

    /// The label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownAuthority => "unknown_authority",
            Self::CertificateRefused => "certificate_refused",
            Self::NothingInCommon => "nothing_in_common",
            Self::Closed => "closed",
            Self::Silent => "silent",
            Self::Malformed => "malformed",
            Self::Other => "other",
        }
    }

    /// For people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::UnknownAuthority => "it does not trust the pod's certificate authority",
            Self::CertificateRefused => {
                "it refused the certificate; it pins another one, or does not trust the pod's \
                 certificate authority"
            }
            Self::NothingInCommon => "it speaks no version or algorithm that the proxy speaks",
            Self::Closed => {
                "it closed the connection, as clients do that do not trust a certificate"
            }
            Self::Silent => "it did not go on in time",
            Self::Malformed => "what it sent is not TLS",
            Self::Other => "it sent an alert that names no known cause",
        }
    }

    /// From what a handshake as server failed with.
    pub fn of(error: &io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        match inner {
            Some(Error::AlertReceived(alert)) => Self::of_alert(*alert),
            Some(Error::PeerIncompatible(_)) => Self::NothingInCommon,
            Some(_) => Self::Malformed,
            None => Self::Closed,
        }
    }

    const fn of_alert(alert: AlertDescription) -> Self {
        match alert {
            AlertDescription::UnknownCA => Self::UnknownAuthority,
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied => Self::CertificateRefused,
            AlertDescription::ProtocolVersion
            | AlertDescription::HandshakeFailure
            | AlertDescription::InsufficientSecurity => Self::NothingInCommon,
            AlertDescription::CloseNotify | AlertDescription::UserCanceled => Self::Closed,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::PeerIncompatible;

    #[test]
    fn what_clients_send_names_the_cause() {
        let alert = |alert| ClientFault::of(&io::Error::other(Error::AlertReceived(alert)));
        // OpenSSL, Python, curl; Go; Java.
        assert_eq!(alert(AlertDescription::UnknownCA), ClientFault::UnknownAuthority);
        assert_eq!(alert(AlertDescription::BadCertificate), ClientFault::CertificateRefused);
        assert_eq!(alert(AlertDescription::CertificateUnknown), ClientFault::CertificateRefused);
        assert_eq!(alert(AlertDescription::ProtocolVersion), ClientFault::NothingInCommon);
        assert_eq!(alert(AlertDescription::InternalError), ClientFault::Other);
        let incompatible = Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered);
        assert_eq!(ClientFault::of(&io::Error::other(incompatible)), ClientFault::NothingInCommon);
        let closed = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(ClientFault::of(&closed), ClientFault::Closed);
        let noise = io::Error::other(Error::DecryptError);
        assert_eq!(ClientFault::of(&noise), ClientFault::Malformed);
    }
}
