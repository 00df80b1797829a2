//! The agent's DNS packets: whatever arrives, there is an answer that parses, or none.
#![no_main]

use exeat_policy::{DeniedNames, Intent, Policies};
use exeat_policy::snapshot::Snapshot;
use exeat_proxy::dns::Synthetic;
use exeat_proxy::dns::answer::{Ruled, Zone, parse};
use hickory_proto::op::Message;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static POLICIES: LazyLock<Policies> = LazyLock::new(|| {
    Policies::compile(&Snapshot::new("fuzz", Vec::new()))
});

fuzz_target!(|packet: &[u8]| {
    let zone = Zone { search: vec!["cluster.local".to_owned()], has_ipv6: true };
    match parse(packet) {
        Ok(question) => {
            let record_type = question.record_type;
            let intent = question.name.as_ref().map(|name| Intent::Resolve { name, record_type });
            let decision = intent.map(|intent| POLICIES.decide(&intent));
            let denied = DeniedNames::Explain;
            let ruled = decision.as_ref().map(|decision| Ruled { policies: &POLICIES, decision, denied });
            let answered = zone.answer(&question, ruled, &Synthetic::default());
            assert!(answered.message.answers.is_empty(), "no policy, no address");
            if let Ok(bytes) = answered.message.to_vec() {
                Message::from_vec(&bytes).expect("our own answers parse");
            }
        }
        Err(Some(answer)) => assert_eq!(answer.get(..2), packet.get(..2), "the id is echoed"),
        Err(None) => {}
    }
});
