use super::super::answer;
use super::*;
use hickory_proto::op::{MessageType, OpCode, Query};
use hickory_proto::rr::rdata::svcb::{Alpn, EchConfigList, IpHint, Mandatory};
use hickory_proto::rr::rdata::{A, HTTPS, SRV, TXT};
use hickory_proto::rr::{Name as DnsName, RecordType as Type};
use std::str::FromStr;

struct Found(Result<Vec<Record>, NoRecords>);

impl Records for Found {
    fn records<'a>(
        &'a self,
        _: &'a Name,
        _: RecordType,
    ) -> BoxFuture<'a, Result<Vec<Record>, NoRecords>> {
        Box::pin(async { self.0.clone() })
    }
}

fn question(name: &str, of: Type) -> Question {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(DnsName::from_str(name).unwrap(), of));
    answer::parse(&message.to_vec().unwrap()).unwrap()
}

async fn answered(of: Type, found: Result<Vec<Record>, NoRecords>) -> Message {
    let question = question("_ldap._tcp.dir.example.", of);
    let mut message = Message::response(7, OpCode::Query);
    let _ = complete(&Found(found), &question, &mut message).await;
    message
}

fn record(name: &str, ttl: u32, data: RData) -> Record {
    Record::from_rdata(DnsName::from_str(name).unwrap(), ttl, data)
}

#[tokio::test]
async fn what_was_asked_for_is_passed_on_under_the_name_that_was_asked_for() {
    let srv = RData::SRV(SRV::new(1, 2, 389, DnsName::from_str("dc.dir.example.").unwrap()));
    let alias = DnsName::from_str("elsewhere.example.").unwrap();
    let found = vec![
        record(
            "_ldap._tcp.dir.example.",
            300,
            RData::CNAME(hickory_proto::rr::rdata::CNAME(alias)),
        ),
        record("elsewhere.example.", 300, srv.clone()),
        record("dc.dir.example.", 300, RData::A(A::new(10, 0, 0, 1))),
    ];
    let message = answered(Type::SRV, Ok(found)).await;
    let [one] = &message.answers[..] else { panic!("{:?}", message.answers) };
    assert_eq!(one.data, srv);
    assert_eq!(one.name.to_ascii(), "_ldap._tcp.dir.example.");
    assert_eq!(one.ttl, 30, "a change of policy takes no longer");
}

#[tokio::test]
async fn answers_are_bounded() {
    let text = |n: usize| RData::TXT(TXT::new(vec![format!("{n}-{}", "x".repeat(200)); 10]));
    let found = (0..200).map(|n| record("a.example.", 5, text(n))).collect();
    let message = answered(Type::TXT, Ok(found)).await;
    assert!(!message.answers.is_empty());
    assert!(message.to_vec().unwrap().len() <= BYTES + 512);
    let small =
        (0..200).map(|n| record("a.example.", 5, RData::TXT(TXT::new(vec![n.to_string()]))));
    assert_eq!(answered(Type::TXT, Ok(small.collect())).await.answers.len(), RECORDS);
}

#[tokio::test]
async fn addresses_and_keys_are_taken_out() {
    let v4 = || SvcParamValue::Ipv4Hint(IpHint(vec![A::new(203, 0, 113, 1)]));
    let keys = || SvcParamValue::EchConfigList(EchConfigList(vec![1, 2, 3]));
    let alpn = || (SvcParamKey::Alpn, SvcParamValue::Alpn(Alpn(vec!["h2".to_owned()])));
    let https = |params| RData::HTTPS(HTTPS(SVCB::new(1, DnsName::root(), params)));
    let hints = vec![alpn(), (SvcParamKey::Ipv4Hint, v4()), (SvcParamKey::EchConfigList, keys())];
    let demanded = Mandatory(vec![SvcParamKey::EchConfigList]);
    let demanding = vec![
        (SvcParamKey::Mandatory, SvcParamValue::Mandatory(demanded)),
        (SvcParamKey::EchConfigList, keys()),
    ];
    let found =
        vec![record("a.example.", 5, https(hints)), record("a.example.", 5, https(demanding))];
    let message = answered(Type::HTTPS, Ok(found)).await;
    let [one] = &message.answers[..] else { panic!("{:?}", message.answers) };
    assert_eq!(one.data, https(vec![alpn()]));
}

#[tokio::test]
async fn no_answer_is_told_from_no_data() {
    for (found, code) in [
        (Err(NoRecords::NoName), ResponseCode::NXDomain),
        (Err(NoRecords::NoData), ResponseCode::NoError),
        (Err(NoRecords::Unanswered), ResponseCode::ServFail),
        (Ok(vec![]), ResponseCode::NoError),
    ] {
        let message = answered(Type::SRV, found).await;
        assert_eq!(message.metadata.response_code, code);
        assert!(message.answers.is_empty());
    }
}
