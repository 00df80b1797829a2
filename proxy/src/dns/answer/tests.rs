use super::*;
use exeat_policy::action::Effect;
use exeat_policy::snapshot::Snapshot;
use exeat_policy::source::{Mode, PolicyRef, PolicySource, RuleSource};
use hickory_proto::op::Query;
use hickory_proto::rr::RecordType as Type;
use std::str::FromStr;

fn policies() -> Policies {
    let rule = |name, action, resource| RuleSource::new(name, action, resource, Effect::Allow);
    Policies::compile(&enforced(vec![
        rule("api", "network.request", "https://api.example/**"),
        rule("own", "network.dns", "*.own.example"),
        RuleSource {
            types: ["SRV", "HTTPS"].map(str::to_owned).to_vec(),
            ..rule("services", "network.dns", "*.dir.example")
        },
        RuleSource { effect: Effect::Deny, ..rule("denied", "network.dns", "denied.example") },
    ]))
}

/// One policy with these rules.
fn enforced(rules: Vec<RuleSource>) -> Snapshot {
    Snapshot::new("u", vec![PolicySource::new(PolicyRef::namespaced("agents", "p"), rules)])
}

/// One policy that allows requests to these resources.
fn requests(resources: &str) -> Snapshot {
    let rules = resources.split(' ').enumerate().map(|(n, resource)| {
        RuleSource::new(format!("r{n}"), "network.request", resource, Effect::Allow)
    });
    enforced(rules.collect())
}

fn packet(name: &str, record_type: Type) -> Vec<u8> {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(DnsName::from_str(name).unwrap(), record_type));
    message.set_edns(Edns::new());
    message.to_vec().unwrap()
}

fn ask(name: &str, record_type: Type) -> Answered {
    let zone = Zone {
        search: search_domains("search agents.svc.cluster.local corp.example\n", "cluster.local"),
        has_ipv6: false,
    };
    decide(&zone, &policies(), &packet(name, record_type))
}

fn decide(zone: &Zone, policies: &Policies, packet: &[u8]) -> Answered {
    let question = parse(packet).unwrap();
    answer(zone, policies, &question, DeniedNames::Refuse)
}

fn answer(zone: &Zone, policies: &Policies, question: &Question, denied: DeniedNames) -> Answered {
    let record_type = question.record_type;
    let intent = question.name.as_ref().map(|name| Intent::Resolve { name, record_type });
    let decision = intent.map(|intent| policies.decide(&intent));
    let ruled = decision.as_ref().map(|decision| Ruled { policies, decision, denied });
    zone.answer(question, ruled, &Synthetic::default())
}

fn reason(answered: &Answered) -> String {
    let edns = answered.message.edns.as_ref().unwrap();
    let found = edns.options().options.iter().find(|(code, _)| u16::from(*code) == EDE);
    let (_, EdnsOption::Unknown(_, data)) = found.unwrap() else { panic!("not as it was made") };
    String::from_utf8(data[2..].to_vec()).unwrap()
}

#[test]
fn allowed_names_get_synthetic_addresses() {
    for name in ["api.example.", "API.Example.", "x.own.example."] {
        let answered = ask(name, Type::A);
        assert_eq!(answered.verdict, Verdict::Allow, "{name}");
        assert_eq!(answered.message.answers.len(), 1);
    }
    assert!(ask("api.example.", Type::AAAA).message.answers.is_empty());
    assert!(ask("api.example.", Type::HTTPS).message.answers.is_empty());
}

#[test]
fn all_else_is_refused_and_says_why() {
    for (name, record_type, rcode, code) in [
        ("evil.example.", Type::A, ResponseCode::Refused, Code::NameDenied),
        ("own.example.", Type::A, ResponseCode::Refused, Code::NameDenied),
        ("api.example.", Type::TXT, ResponseCode::NoError, Code::RecordType),
        ("api.example.", Type::ANY, ResponseCode::NoError, Code::RecordType),
        ("evil.example.", Type::TXT, ResponseCode::Refused, Code::NameDenied),
        ("denied.example.", Type::A, ResponseCode::Refused, Code::RuleDeny),
        ("denied.example.", Type::SRV, ResponseCode::Refused, Code::RuleDeny),
        (
            "api.example.agents.svc.cluster.local.",
            Type::A,
            ResponseCode::NXDomain,
            Code::SearchDomain,
        ),
        (
            "evil.example.agents.svc.cluster.local.",
            Type::A,
            ResponseCode::NXDomain,
            Code::NameDenied,
        ),
        ("cluster.local.", Type::A, ResponseCode::NXDomain, Code::NameDenied),
        ("api.example.corp.example.", Type::A, ResponseCode::NXDomain, Code::SearchDomain),
        ("10.0.0.1.", Type::A, ResponseCode::Refused, Code::Malformed),
    ] {
        let answered = ask(name, record_type);
        assert_eq!(
            (answered.message.metadata.response_code, answered.code),
            (rcode, code),
            "{name}"
        );
        let edns = answered.message.edns.as_ref().unwrap();
        assert!(edns.options().options.iter().any(|(code, _)| u16::from(*code) == EDE), "{name}");
    }
    let zone = Zone { search: vec![], has_ipv6: false };
    let question = parse(&packet("api.example.", Type::A)).unwrap();
    assert_eq!(zone.answer(&question, None, &Synthetic::default()).code, Code::NoPolicy);
}

/// With `ndots:5` a resolver asks for `api.example.agents.svc.cluster.local` first.
#[test]
fn what_everything_allows_is_not_taken_for_a_search_domain() {
    let snapshot = |mode, resources: &str| {
        let mut snapshot = requests(resources);
        snapshot.policies[0].mode = mode;
        snapshot
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
        (Mode::Observe, "https://a.example/**", "db.ns.svc.cluster.local.", ResponseCode::NXDomain),
        (Mode::Observe, "https://a.example/**", "intranet.corp.example.", ResponseCode::NoError),
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
        let answered = decide(&zone, &policies, &packet(name, Type::A));
        assert_eq!(answered.message.metadata.response_code, rcode, "{resource} {name}");
    }
}

#[test]
fn malformed_packets_get_an_error_or_nothing() {
    assert!(matches!(parse(&[]), Err(None)));
    assert!(matches!(parse(&[0; 5]), Err(None)));
    assert!(matches!(parse(&[1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 200]), Err(Some(_))));
    let response = {
        let mut p = packet("api.example.", Type::A);
        p[2] |= 0x80;
        p
    };
    assert!(matches!(parse(&response), Err(None)));
}

#[test]
fn only_listed_types_are_asked_outside() {
    for (name, record_type, outside, verdict, code) in [
        ("_ldap._tcp.dir.example.", Type::SRV, true, Verdict::Allow, Code::Allowed),
        ("_ldap._tcp.dir.example.", Type::HTTPS, true, Verdict::Allow, Code::Allowed),
        ("_ldap._tcp.dir.example.", Type::TXT, false, Verdict::Deny, Code::RecordType),
        ("_ldap._tcp.dir.example.", Type::A, false, Verdict::Allow, Code::Allowed),
        ("x.own.example.", Type::SRV, false, Verdict::Deny, Code::RecordType),
        ("x.own.example.", Type::HTTPS, false, Verdict::Allow, Code::Allowed),
        ("dir.example.", Type::SRV, false, Verdict::Deny, Code::NameDenied),
    ] {
        let answered = ask(name, record_type);
        let got = (answered.outside, answered.verdict, answered.code);
        assert_eq!(got, (outside, verdict, code), "{name} {record_type}");
        assert!(answered.message.answers.is_empty(), "{name} {record_type}");
    }
}

/// A client that gets REFUSED for one type gives up, or asks the next server.
#[test]
fn a_type_that_no_rule_lists_is_nothing_rather_than_an_error() {
    let mut types = vec![Type::TXT, Type::MX, Type::NS, Type::CAA, Type::CNAME, Type::SRV];
    types.extend([Type::PTR, Type::SOA, Type::DNSKEY, Type::HTTPS, Type::SVCB, Type::Unknown(999)]);
    for record_type in types {
        let answered = ask("api.example.", record_type);
        assert_eq!(answered.message.metadata.response_code, ResponseCode::NoError);
        assert!(answered.message.answers.is_empty() && !answered.outside, "{record_type}");
        assert_eq!(reason(&answered), "no rule lists this record type", "{record_type}");
    }
}

#[test]
fn a_name_that_nothing_speaks_of_is_explained_by_an_address() {
    let zone =
        Zone { search: search_domains("search corp.example\n", "cluster.local"), has_ipv6: true };
    let policies = policies();
    let ask = |name: &str, record_type, denied| {
        answer(&zone, &policies, &parse(&packet(name, record_type)).unwrap(), denied)
    };
    for record_type in [Type::A, Type::AAAA] {
        let answered = ask("evil.example.", record_type, DeniedNames::Explain);
        assert_eq!(answered.message.metadata.response_code, ResponseCode::NoError);
        assert_eq!((answered.verdict, answered.code), (Verdict::Deny, Code::NameDenied));
        assert!(!answered.outside);
        let [record] = &answered.message.answers[..] else { panic!("one address") };
        let ip = match &record.data {
            RData::A(A(v4)) => (*v4).into(),
            RData::AAAA(AAAA(v6)) => (*v6).into(),
            other => panic!("{other}"),
        };
        assert!(Synthetic::covers(ip), "{ip}");
        assert!(record.ttl <= 5, "it may be allowed soon");
        let refused = ask("evil.example.", record_type, DeniedNames::Refuse);
        assert_eq!(refused.message.metadata.response_code, ResponseCode::Refused);
        assert!(refused.message.answers.is_empty());
    }
    // What a rule denies, what a resolver made of a search list, and what is no question for an
    // address are not.
    for (name, record_type, rcode) in [
        ("denied.example.", Type::A, ResponseCode::Refused),
        ("evil.example.", Type::TXT, ResponseCode::Refused),
        ("evil.example.corp.example.", Type::A, ResponseCode::NXDomain),
        ("evil.cluster.local.", Type::A, ResponseCode::NXDomain),
        ("10.0.0.1.", Type::A, ResponseCode::Refused),
    ] {
        let answered = ask(name, record_type, DeniedNames::Explain);
        assert_eq!(answered.message.metadata.response_code, rcode, "{name} {record_type}");
        assert!(answered.message.answers.is_empty(), "{name} {record_type}");
    }
}

#[test]
fn a_denial_names_the_nearest_rule() {
    let answered = ask("apt.example.", Type::A);
    let why = reason(&answered);
    assert!(why.contains("rule api allows https://api.example/**"), "{why}");
}

fn allowing(resources: &str) -> Policies {
    let domain = Name::parse("cluster.local").unwrap();
    let vicinity = exeat_policy::cluster::Vicinity::new("agents", &domain);
    Policies::compile_within(&requests(resources), Some(vicinity))
}

/// What a resolver of the pod asks for, until it has an answer; the address stands for the whole
/// name, whichever question was answered.
#[test]
fn services_are_found_by_the_search_list_and_by_their_short_names() {
    let conf = "search agents.svc.cluster.local svc.cluster.local cluster.local\n";
    let zone = Zone { search: search_domains(conf, "cluster.local"), has_ipv6: false };
    let orders = Some("orders.prod.svc.cluster.local");
    let own = Some("orders.agents.svc.cluster.local");
    for (rules, asked, stands_for) in [
        ("http://orders.prod/**", "orders.prod.agents.svc.cluster.local.", None),
        ("http://orders.prod/**", "orders.prod.svc.cluster.local.", orders),
        ("http://orders.prod.svc/**", "orders.prod.svc.svc.cluster.local.", None),
        ("http://orders.prod.svc/**", "orders.prod.svc.cluster.local.", orders),
        ("http://orders/**", "orders.agents.svc.cluster.local.", own),
        ("http://*.prod.svc/**", "orders.prod.svc.cluster.local.", orders),
        // With ndots:1 the name is asked for as it is.
        ("http://orders.prod/**", "orders.prod.", orders),
        ("http://orders.prod.svc.cluster.local/**", "orders.prod.svc.", orders),
        ("http://orders/**", "orders.", own),
        // A host below a top-level domain, and no Service of that name.
        ("http://orders.dev/**", "orders.dev.svc.cluster.local.", None),
        ("http://orders.dev/**", "orders.dev.", Some("orders.dev")),
        ("http://orders.dev.svc/**", "orders.dev.", None),
        ("http://orders.dev.svc/**", "orders.dev.svc.", Some("orders.dev.svc.cluster.local")),
        // A name that is written as whole is no Service's.
        ("http://wiki.acme./**", "wiki.acme.", Some("wiki.acme")),
        ("http://wiki.acme./**", "wiki.acme.svc.cluster.local.", None),
        ("http://orders.prod/**", "orders.test.svc.cluster.local.", None),
    ] {
        let policies = allowing(rules);
        let mut question = parse(&packet(asked, Type::A)).unwrap();
        question.mean(&policies);
        let (name, record_type) = (question.name.as_ref().unwrap(), question.record_type);
        let decision = policies.decide(&Intent::Resolve { name, record_type });
        let denied = DeniedNames::Refuse;
        let ruled = Ruled { policies: &policies, decision: &decision, denied };
        let table = Synthetic::default();
        let answered = zone.answer(&question, Some(ruled), &table);
        let address = answered.message.answers.first().map(|record| match &record.data {
            RData::A(A(address)) => std::net::IpAddr::V4(*address),
            other => panic!("{other:?}"),
        });
        let name = address.map(|address| table.name_of(address).unwrap().to_string());
        assert_eq!(name.as_deref(), stands_for, "{rules} {asked}");
    }
}
