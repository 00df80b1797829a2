//! From a question to an answer. No question leaves the pod, so DNS carries nothing out; but for types
//! of records that a rule lists, which are asked for outside ([`super::relay`]).
//!
//! | asked | answered |
//! |---|---|
//! | A of a name that some rule could allow | its synthetic address |
//! | A of a short name of a Service that some rule names | the synthetic address of the whole name |
//! | AAAA of such a name | the IPv6 twin, where the pod has IPv6; else nothing |
//! | a type that a rule lists for the name | what is found outside |
//! | any other type of a name of which some type may be asked | nothing: resolvers take a refusal for a broken server |
//! | a name below the cluster's or the pod's search domains that no rule allows | NXDOMAIN, so that resolvers try their next suffix |
//! | `a.example.SUFFIX` with such a suffix, where `**` or observing alone allows it | the same: it is what a resolver made of `a.example` |
//! | A, AAAA of any other name that no rule denies | a synthetic address whose connections are refused in words; or, with `spec.dns.denied: Refuse`, as the next line |
//! | any other name | REFUSED |
//!
//! What is not answered as asked says why by an Extended DNS Error (RFC 8914).
//!
//! | else | |
//! |---|---|
//! | what cannot be parsed | FORMERR, or nothing when there is no header |

use super::Synthetic;
use exeat_audit::record::cut;
use exeat_policy::normal::Name;
use exeat_policy::{Code, Decision, DeniedNames, Intent, Policies, RecordType, Verdict};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::rdata::{A, AAAA};
use hickory_proto::rr::{DNSClass, Name as DnsName, RData, Record};
use std::net::Ipv4Addr;

/// Seconds that a client may keep an answer.
const TTL: u32 = 30;
/// The same for a name that is denied, and may be allowed soon.
const DENIED_TTL: u32 = 5;
/// RFC 8914 §4.16: "Blocked".
const EDE_BLOCKED: u16 = 15;
const EDE: u16 = 15;
/// Longest reason in an answer, in bytes.
const REASON: usize = 200;

/// A question that was understood.
#[derive(Debug)]
pub struct Question {
    request: Message,
    /// None: not a name that a policy can speak of.
    pub name: Option<Name>,
    /// As asked, for the record.
    pub asked: String,
    /// As a rule can speak of it.
    pub record_type: RecordType,
    /// As asked, for the record.
    pub asked_type: String,
}

impl Question {
    /// The name as the client wrote it, for the records of the answer.
    pub(super) fn owner(&self) -> DnsName {
        self.request.queries.first().map(|query| query.name.clone()).unwrap_or_default()
    }
}

impl Question {
    /// Takes a short name of a Service that rules name for what a resolver of the pod makes of it.
    pub fn mean(&mut self, policies: &Policies) {
        self.name = self.name.take().map(|name| meant(name, policies));
    }
}

fn meant(name: Name, policies: &Policies) -> Name {
    let service = policies.vicinity().and_then(|vicinity| vicinity.service(&name));
    match service {
        Some(service) if !policies.names_host(&name) && policies.names_host(&service) => service,
        _ => name,
    }
}

/// What was decided about it.
#[derive(Debug)]
pub struct Answered {
    pub verdict: Verdict,
    pub code: Code,
    pub message: Message,
    /// The answer is still to be found outside.
    pub outside: bool,
}

/// What the policy in force says of a question.
#[derive(Debug, Clone, Copy)]
pub struct Ruled<'a> {
    pub policies: &'a Policies,
    pub decision: &'a Decision,
    pub denied: DeniedNames,
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
    let (name, asked_type) = (Name::parse(&asked).ok(), query.query_type.to_string());
    Ok(Question {
        name,
        asked: asked.trim_end_matches('.').to_ascii_lowercase(),
        record_type: RecordType::named(&asked_type),
        asked_type,
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
    /// Answers as it was decided. `ruled`: none before the first snapshot.
    pub fn answer(
        &self,
        question: &Question,
        ruled: Option<Ruled<'_>>,
        table: &Synthetic,
    ) -> Answered {
        let Some(name) = &question.name else {
            return self.refuse(question, Code::Malformed, "this is not a host name");
        };
        let Some(ruled) = ruled else {
            return self.refuse(question, Code::NoPolicy, "no policy has reached the proxy yet");
        };
        if !ruled.decision.allows() {
            return self.deny(question, name, ruled, table);
        }
        if self.is_expansion(name, ruled.policies) {
            let why = "no rule names this name below a search domain";
            return self.refuse(question, Code::SearchDomain, why);
        }
        let code = ruled.decision.code;
        let message = reply(&question.request, ResponseCode::NoError);
        let mut answered = Answered { verdict: Verdict::Allow, code, message, outside: false };
        match question.record_type {
            RecordType::A | RecordType::Aaaa => match table.address_for(name) {
                Some(address) => self.address(question, &mut answered.message, address, TTL),
                None => return self.refuse(question, Code::Overload, "too many names are in use"),
            },
            // Nobody lists them: they are let pass by policies that observe.
            RecordType::Other => {}
            RecordType::Https | RecordType::Svcb if ruled.decision.observing => {}
            _ => answered.outside = true,
        }
        answered
    }

    fn address(&self, question: &Question, message: &mut Message, address: Ipv4Addr, ttl: u32) {
        let data = match question.record_type {
            RecordType::A => RData::A(A(address)),
            _ if self.has_ipv6 => RData::AAAA(AAAA(Synthetic::v6(address))),
            _ => return,
        };
        message.add_answer(Record::from_rdata(question.owner(), ttl, data));
    }

    /// What no rule allows, or some rule denies.
    fn deny(
        &self,
        question: &Question,
        name: &Name,
        ruled: Ruled<'_>,
        table: &Synthetic,
    ) -> Answered {
        let Ruled { policies, decision, denied } = ruled;
        if decision.code != Code::DefaultDeny {
            let why = format!("{}; asking another way will not help", decision.reason);
            return self.refuse(question, decision.code, &why);
        }
        if policies.may_look_up(name) && !self.is_expansion(name, policies) {
            return nothing(question);
        }
        if self.is_search(name, policies) {
            let why = format!("{}; asking another way will not help", decision.reason);
            return self.refuse(question, Code::SearchDomain, &why);
        }
        let asked = Intent::Resolve { name, record_type: question.record_type };
        let near = policies.nearest(&asked).map(|near| format!("; {near}")).unwrap_or_default();
        let why = format!("{}{near}; asking another way will not help", decision.reason);
        let refused = self.refuse(question, Code::NameDenied, &why);
        let explain = denied == DeniedNames::Explain
            && question.record_type.is_address()
            && self.without_suffix(name).is_none();
        match explain.then(|| table.address_for_denied(name)).flatten() {
            Some(address) => {
                let mut answered = refused;
                answered.message.metadata.response_code = ResponseCode::NoError;
                self.address(question, &mut answered.message, address, DENIED_TTL);
                answered
            }
            None => refused,
        }
    }

    fn refuse(&self, question: &Question, code: Code, why: &str) -> Answered {
        let local = question.name.as_ref().is_some_and(|name| self.without_suffix(name).is_some());
        let rcode = match code {
            Code::Overload => ResponseCode::ServFail,
            Code::NameDenied | Code::SearchDomain if local => ResponseCode::NXDomain,
            _ => ResponseCode::Refused,
        };
        let message = blocked(question, rcode, why);
        Answered { verdict: Verdict::Deny, code, message, outside: false }
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
        let asked = asked.map(|name| meant(name, policies));
        asked.is_some_and(|name| policies.may_look_up(&name))
    }
}

/// No data of this type, for a name that has data of another. Of `HTTPS` and `SVCB` clients ask by
/// themselves beside the addresses: that is no attempt at anything.
fn nothing(question: &Question) -> Answered {
    let by_itself = matches!(question.record_type, RecordType::Https | RecordType::Svcb)
        || question.record_type.is_address();
    let (verdict, code) = match by_itself {
        true => (Verdict::Allow, Code::Allowed),
        false => (Verdict::Deny, Code::RecordType),
    };
    let why = "no rule lists this record type";
    let message = blocked(question, ResponseCode::NoError, why);
    Answered { verdict, code, message, outside: false }
}

/// An answer that says why it is not what was asked for.
fn blocked(question: &Question, code: ResponseCode, why: &str) -> Message {
    let mut message = reply(&question.request, code);
    if let Some(edns) = &mut message.edns {
        let mut data = EDE_BLOCKED.to_be_bytes().to_vec();
        data.extend_from_slice(cut(why, REASON).as_bytes());
        edns.options_mut().insert(EdnsOption::Unknown(EDE, data));
    }
    message
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
mod tests;
