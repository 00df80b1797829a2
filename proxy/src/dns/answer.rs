//! From a question to an answer. No question leaves the pod, so DNS carries nothing out.
//!
//! | asked | answered |
//! |---|---|
//! | A of a name that some rule could allow | its synthetic address |
//! | AAAA of such a name | the IPv6 twin, where the pod has IPv6; else nothing |
//! | HTTPS, SVCB of such a name | nothing, so no ECH keys and no other ports |
//! | any other type | REFUSED |
//! | a name below the cluster's or the pod's search domains that no rule allows | NXDOMAIN, so that resolvers try their next suffix |
//! | `a.example.SUFFIX` with such a suffix, where `**` or observing alone allows it | the same: it is what a resolver made of `a.example` |
//! | any other name | REFUSED with the reason as an Extended DNS Error (RFC 8914) |
//! | what cannot be parsed | FORMERR, or nothing when there is no header |

use super::Synthetic;
use exeat_policy::normal::Name;
use exeat_policy::{Code, Decision, Intent, Policies, Verdict};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::rdata::{A, AAAA};
use hickory_proto::rr::{DNSClass, RData, Record, RecordType};

/// Seconds that a client may keep an answer.
const TTL: u32 = 30;
/// RFC 8914 §4.16: "Blocked".
const EDE_BLOCKED: u16 = 15;
const EDE: u16 = 15;

/// A question that was understood.
#[derive(Debug)]
pub struct Question {
    request: Message,
    /// None: not a name that a policy can speak of.
    pub name: Option<Name>,
    /// As asked, for the record.
    pub asked: String,
    pub record_type: RecordType,
}

/// What was decided about it.
#[derive(Debug)]
pub struct Answered {
    pub verdict: Verdict,
    pub code: Code,
    pub message: Message,
}

/// Parses one question.
///
/// # Errors
/// The answer to send instead; none where even the header is missing.
pub fn parse(packet: &[u8]) -> Result<Question, Option<Vec<u8>>> {
    let Ok(request) = Message::from_vec(packet) else { return Err(form_error(packet)) };
    if request.metadata.message_type != MessageType::Query {
        return Err(None);
    }
    let one = matches!(request.queries.as_slice(), [query] if query.query_class == DNSClass::IN);
    if request.metadata.op_code != OpCode::Query || !one || !request.answers.is_empty() {
        let code = if request.metadata.op_code == OpCode::Query {
            ResponseCode::FormErr
        } else {
            ResponseCode::NotImp
        };
        return Err(reply(&request, code).to_vec().ok());
    }
    let query = &request.queries[0];
    let asked = query.name.to_ascii();
    let (name, record_type) = (Name::parse(&asked).ok(), query.query_type);
    Ok(Question {
        name,
        asked: asked.trim_end_matches('.').to_ascii_lowercase(),
        record_type,
        request,
    })
}

/// A header with FORMERR, made by hand since the packet has no other readable part.
fn form_error(packet: &[u8]) -> Option<Vec<u8>> {
    let id = packet.get(..2)?;
    let flags = packet.get(2)?;
    if packet.len() < 12 || flags & 0x80 != 0 {
        return None;
    }
    let mut out = vec![0; 12];
    out[..2].copy_from_slice(id);
    out[2] = 0x80 | (flags & 0x79);
    out[3] = 0x81;
    Some(out)
}

fn reply(request: &Message, code: ResponseCode) -> Message {
    let mut response = Message::response(request.metadata.id, request.metadata.op_code);
    response.metadata.recursion_desired = request.metadata.recursion_desired;
    response.metadata.recursion_available = true;
    response.metadata.response_code = code;
    response.add_queries(request.queries.iter().cloned());
    if request.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(1232).set_version(0);
        response.set_edns(edns);
    }
    response
}

/// What the answers depend on beside the policy.
#[derive(Debug)]
pub struct Zone {
    /// Names below these get NXDOMAIN instead of REFUSED.
    pub search: Vec<String>,
    pub has_ipv6: bool,
}

impl Zone {
    /// Answers as it was decided. `decided`: none before the first snapshot.
    pub fn answer(
        &self,
        question: &Question,
        decided: Option<(&Policies, &Decision)>,
        table: &Synthetic,
    ) -> Answered {
        let refuse = |code, why: &str| self.refuse(question, code, why);
        let Some(name) = &question.name else {
            return refuse(Code::Malformed, "this is not a host name");
        };
        let Some((policies, decision)) = decided else {
            return refuse(Code::NoPolicy, "no policy has reached the proxy yet");
        };
        if !decision.allows() {
            let code = match decision.code {
                Code::DefaultDeny if self.is_search(name, policies) => Code::SearchDomain,
                Code::DefaultDeny => Code::NameDenied,
                code => code,
            };
            let why = format!("{}; asking another way will not help", decision.reason);
            return refuse(code, &why);
        }
        if self.is_expansion(name, policies) {
            let why = "no rule names this name below a search domain";
            return refuse(Code::SearchDomain, why);
        }
        let mut message = reply(&question.request, ResponseCode::NoError);
        let answer = match question.record_type {
            RecordType::A | RecordType::AAAA => {
                let Some(address) = table.address_for(name) else {
                    return refuse(Code::Overload, "too many names are in use");
                };
                match question.record_type {
                    RecordType::A => Some(RData::A(A(address))),
                    _ if self.has_ipv6 => Some(RData::AAAA(AAAA(Synthetic::v6(address)))),
                    _ => None,
                }
            }
            RecordType::HTTPS | RecordType::SVCB => None,
            _ => return refuse(Code::RecordType, "no rule lists this record type"),
        };
        if let Some(data) = answer {
            let owner = question.request.queries[0].name.clone();
            message.add_answer(Record::from_rdata(owner, TTL, data));
        }
        Answered { verdict: Verdict::Allow, code: decision.code, message }
    }

    fn refuse(&self, question: &Question, code: Code, why: &str) -> Answered {
        let local = question.name.as_ref().is_some_and(|name| self.without_suffix(name).is_some());
        let rcode = match code {
            Code::Overload => ResponseCode::ServFail,
            Code::NameDenied | Code::SearchDomain if local => ResponseCode::NXDomain,
            _ => ResponseCode::Refused,
        };
        let mut message = reply(&question.request, rcode);
        if let Some(edns) = &mut message.edns {
            let mut data = EDE_BLOCKED.to_be_bytes().to_vec();
            data.extend_from_slice(&why.as_bytes()[..why.len().min(200)]);
            edns.options_mut().insert(EdnsOption::Unknown(EDE, data));
        }
        Answered { verdict: Verdict::Deny, code, message }
    }

    /// What is left of a name without a suffix of the search list; empty for the suffix itself.
    fn without_suffix<'a>(&self, name: &'a Name) -> Option<&'a str> {
        let front = |zone: &String| {
            let rest = name.as_str().strip_suffix(zone.as_str())?;
            if rest.is_empty() { Some(rest) } else { rest.strip_suffix('.') }
        };
        self.search.iter().filter_map(front).min_by_key(|rest| rest.len())
    }

    /// Whether this is a name of several labels with a search domain behind it. Resolvers ask for
    /// such names before they ask for the name itself, and would take our answer for it. It is
    /// taken at its word where a rule names it, and none names what is in front of the domain.
    fn is_expansion(&self, name: &Name, policies: &Policies) -> bool {
        let Some(front) = self.without_suffix(name).filter(|front| front.contains('.')) else {
            return false;
        };
        let meant = Name::parse(front).is_ok_and(|front| policies.names_host(&front));
        meant || !policies.names_host(name)
    }

    /// Whether a resolver made this name of an allowed one and its search list. Such a question is
    /// no attempt at anything; every other name below the same suffix is.
    fn is_search(&self, name: &Name, policies: &Policies) -> bool {
        let asked = self.without_suffix(name).and_then(|front| Name::parse(front).ok());
        asked.is_some_and(|name| policies.decide(&Intent::Resolve { name: &name }).allows())
    }
}

/// The search suffixes of a resolv.conf. The agent can write that file: nothing but the choice
/// between two refusals hangs on it.
pub fn search_domains(resolv_conf: &str, cluster_domain: &str) -> Vec<String> {
    let listed = resolv_conf
        .lines()
        .filter_map(|line| line.strip_prefix("search "))
        .flat_map(str::split_whitespace);
    let all = listed.filter_map(|domain| Name::parse(domain).ok()).map(|name| name.to_string());
    all.chain([cluster_domain.to_owned()]).take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use exeat_policy::action::Effect;
    use exeat_policy::snapshot::{AuditSettings, Snapshot};
    use exeat_policy::source::{Mode, PolicyRef, PolicySource, RuleSource, Tier, TlsMode};
    use hickory_proto::op::Query;
    use hickory_proto::rr::Name as DnsName;
    use std::str::FromStr;

    fn policies() -> Policies {
        let rule = |name: &str, action: &str, resource: &str| RuleSource {
            name: name.into(),
            action: action.into(),
            resource: resource.into(),
            methods: vec![],
            effect: Effect::Allow,
            reason: None,
            deny_body_patterns: vec![],
            tls: TlsMode::Intercept,
        };
        Policies::compile(&Snapshot {
            generation: 1,
            pod_uid: "u".into(),
            policies: vec![PolicySource {
                origin: PolicyRef {
                    tier: Tier::Namespaced,
                    namespace: "agents".into(),
                    name: "p".into(),
                },
                generation: 1,
                mode: Mode::Enforce,
                rules: vec![
                    rule("api", "network.request", "https://api.example/**"),
                    rule("own", "network.dns", "*.own.example"),
                ],
                invalid: None,
            }],
            audit: AuditSettings::default(),
            upstream_roots: String::new(),
            control_roots: String::new(),
        })
    }

    fn packet(name: &str, record_type: RecordType) -> Vec<u8> {
        let mut message = Message::new(7, MessageType::Query, OpCode::Query);
        message.add_query(Query::query(DnsName::from_str(name).unwrap(), record_type));
        message.set_edns(Edns::new());
        message.to_vec().unwrap()
    }

    fn ask(name: &str, record_type: RecordType) -> Answered {
        let zone = Zone {
            search: search_domains(
                "search agents.svc.cluster.local corp.example\n",
                "cluster.local",
            ),
            has_ipv6: false,
        };
        decide(&zone, &policies(), &packet(name, record_type))
    }

    fn decide(zone: &Zone, policies: &Policies, packet: &[u8]) -> Answered {
        let question = parse(packet).unwrap();
        let decided = question.name.as_ref().map(|name| policies.decide(&Intent::Resolve { name }));
        let decided = decided.as_ref().map(|decision| (policies, decision));
        zone.answer(&question, decided, &Synthetic::default())
    }

    #[test]
    fn allowed_names_get_synthetic_addresses() {
        for name in ["api.example.", "API.Example.", "x.own.example."] {
            let answered = ask(name, RecordType::A);
            assert_eq!(answered.verdict, Verdict::Allow, "{name}");
            assert_eq!(answered.message.answers.len(), 1);
        }
        assert!(ask("api.example.", RecordType::AAAA).message.answers.is_empty());
        assert!(ask("api.example.", RecordType::HTTPS).message.answers.is_empty());
    }

    #[test]
    fn all_else_is_refused_and_says_why() {
        for (name, record_type, rcode, code) in [
            ("evil.example.", RecordType::A, ResponseCode::Refused, Code::NameDenied),
            ("own.example.", RecordType::A, ResponseCode::Refused, Code::NameDenied),
            ("api.example.", RecordType::TXT, ResponseCode::Refused, Code::RecordType),
            ("api.example.", RecordType::ANY, ResponseCode::Refused, Code::RecordType),
            (
                "api.example.agents.svc.cluster.local.",
                RecordType::A,
                ResponseCode::NXDomain,
                Code::SearchDomain,
            ),
            (
                "evil.example.agents.svc.cluster.local.",
                RecordType::A,
                ResponseCode::NXDomain,
                Code::NameDenied,
            ),
            ("cluster.local.", RecordType::A, ResponseCode::NXDomain, Code::NameDenied),
            (
                "api.example.corp.example.",
                RecordType::A,
                ResponseCode::NXDomain,
                Code::SearchDomain,
            ),
            ("10.0.0.1.", RecordType::A, ResponseCode::Refused, Code::Malformed),
        ] {
            let answered = ask(name, record_type);
            assert_eq!(
                (answered.message.metadata.response_code, answered.code),
                (rcode, code),
                "{name}"
            );
            let edns = answered.message.edns.as_ref().unwrap();
            assert!(
                edns.options().options.iter().any(|(code, _)| u16::from(*code) == EDE),
                "{name}"
            );
        }
        let zone = Zone { search: vec![], has_ipv6: false };
        let question = parse(&packet("api.example.", RecordType::A)).unwrap();
        assert_eq!(zone.answer(&question, None, &Synthetic::default()).code, Code::NoPolicy);
    }

    /// With `ndots:5` a resolver asks for `api.example.agents.svc.cluster.local` first.
    #[test]
    fn what_everything_allows_is_not_taken_for_a_search_domain() {
        let snapshot = |mode, resource: &str| Snapshot {
            generation: 1,
            pod_uid: "u".into(),
            policies: vec![PolicySource {
                origin: PolicyRef {
                    tier: Tier::Namespaced,
                    namespace: "agents".into(),
                    name: "p".into(),
                },
                generation: 1,
                mode,
                rules: resource
                    .split(' ')
                    .enumerate()
                    .map(|(n, resource)| RuleSource {
                        name: format!("r{n}"),
                        action: "network.request".into(),
                        resource: resource.into(),
                        methods: vec![],
                        effect: Effect::Allow,
                        reason: None,
                        deny_body_patterns: vec![],
                        tls: TlsMode::Intercept,
                    })
                    .collect(),
                invalid: None,
            }],
            audit: AuditSettings::default(),
            upstream_roots: String::new(),
            control_roots: String::new(),
        };
        let conf = "search agents.svc.cluster.local svc.cluster.local cluster.local corp.example\n";
        let zone = Zone { search: search_domains(conf, "cluster.local"), has_ipv6: false };
        for (mode, resource, name, rcode) in [
            (Mode::Enforce, "https://**/**", "api.example.", ResponseCode::NoError),
            (
                Mode::Enforce,
                "https://**/**",
                "api.example.agents.svc.cluster.local.",
                ResponseCode::NXDomain,
            ),
            (
                Mode::Observe,
                "https://a.example/**",
                "api.example.corp.example.",
                ResponseCode::NXDomain,
            ),
            (
                Mode::Observe,
                "https://a.example/**",
                "db.ns.svc.cluster.local.",
                ResponseCode::NXDomain,
            ),
            (
                Mode::Observe,
                "https://a.example/**",
                "intranet.corp.example.",
                ResponseCode::NoError,
            ),
            (
                Mode::Enforce,
                "http://*.svc.cluster.local/**",
                "db.ns.svc.cluster.local.",
                ResponseCode::NoError,
            ),
            (
                Mode::Enforce,
                "https://api.example/** http://*.svc.cluster.local/**",
                "api.example.agents.svc.cluster.local.",
                ResponseCode::NXDomain,
            ),
        ] {
            let policies = Policies::compile(&snapshot(mode, resource));
            let answered = decide(&zone, &policies, &packet(name, RecordType::A));
            assert_eq!(answered.message.metadata.response_code, rcode, "{resource} {name}");
        }
    }

    #[test]
    fn malformed_packets_get_an_error_or_nothing() {
        assert!(matches!(parse(&[]), Err(None)));
        assert!(matches!(parse(&[0; 5]), Err(None)));
        assert!(matches!(parse(&[1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 200]), Err(Some(_))));
        let response = {
            let mut p = packet("api.example.", RecordType::A);
            p[2] |= 0x80;
            p
        };
        assert!(matches!(parse(&response), Err(None)));
    }
}
