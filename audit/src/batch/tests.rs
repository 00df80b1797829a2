//! Batches: their bytes, and what is refused.

use super::*;
use crate::key::SigningKey;
use proptest::prelude::*;

const TIME: u64 = 1_767_323_045_678;

fn chain() -> ChainId {
    "pod-1".parse().unwrap()
}

fn seal() -> Seal {
    Seal { time: Stamp::new(TIME), signature: [0xab; 64] }
}

fn batch(first: u64, records: &[&[u8]]) -> Vec<u8> {
    let previous = Link::from([7; 32]);
    encode(&chain(), first, previous, records.iter().copied(), &seal()).unwrap()
}

fn read(bytes: &[u8]) -> Result<Batch<'_>, BatchError> {
    decode(bytes, Limits::COLLECTOR)
}

#[test]
fn the_bytes_are_what_the_document_says() {
    let mut expected = b"EXEATB02\x05pod-1\0\0\0\0\0\0\0\x29".to_vec();
    expected.extend([7; 32]);
    expected.extend(b"\0\0\0\x02\0\0\0\x02{}\0\0\0\x07{\"a\":1}");
    expected.extend(b"2026-01-02T03:04:05.678Z");
    expected.extend([0xab; 64]);
    let bytes = batch(41, &[b"{}", b"{\"a\":1}"]);
    assert_eq!(bytes, expected);
    let read = read(&bytes).unwrap();
    assert_eq!(read.records, [&b"{}"[..], b"{\"a\":1}"]);
    assert_eq!((read.first, read.head_seq(), read.previous), (41, 42, Link::from([7; 32])));
}

#[test]
fn frames_of_a_spool_are_copied() {
    let frames = b"\0\0\0\x02{}\0\0\0\x07{\"a\":1}";
    let pieces = [&frames[..9], &frames[9..]];
    let copied = encode_frames(&chain(), 41, Link::from([7; 32]), 2, &pieces, &seal());
    assert_eq!(copied, batch(41, &[b"{}", b"{\"a\":1}"]));
}

#[test]
fn a_head_verifies_with_the_link_that_the_reader_computes() {
    let key = SigningKey::from_seed(&[1; 32]);
    let previous = Link::start(&chain());
    let link = previous.next(0, b"{}");
    let seal = Seal::sign(&chain(), 0, link, Stamp::new(TIME), &key);
    let bytes = encode(&chain(), 0, previous, [&b"{}"[..]], &seal).unwrap();
    let read = read(&bytes).unwrap();
    assert_eq!(read.head(link).verify(&key.public()), Ok(link));
    assert!(read.head(previous).verify(&key.public()).is_err());
}

#[test]
fn a_batch_without_entries_is_a_sign_of_life() {
    let bytes = batch(42, &[]);
    assert_eq!(read(&bytes).unwrap().head_seq(), 41);
    assert_eq!(read(&batch(0, &[])), Err(BatchError::Sequence), "there is nothing to sign");
}

#[test]
fn what_is_no_batch_is_refused() {
    let good = batch(41, &[b"{}", b"{}"]);
    for length in 0..good.len() {
        assert!(read(&good[..length]).is_err(), "{length}");
    }
    let edited = |edit: fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        edit(&mut bytes);
        read(&bytes).unwrap_err()
    };
    assert_eq!(edited(|it| it[7] = b'3'), BatchError::Magic);
    assert_eq!(edited(|it| it[9] = b'/'), BatchError::Chain);
    assert_eq!(edited(|it| it.push(0)), BatchError::Trailing);
    assert_eq!(edited(|it| it[14..22].fill(0xff)), BatchError::Sequence);
    assert_eq!(edited(|it| it[54..58].fill(0xff)), BatchError::TooMany(MAX_BATCH_ENTRIES));
    let empty = BatchError::Frame { seq: 42, error: FrameError::Empty };
    assert_eq!(edited(|it| it[64..68].fill(0)), empty);
    assert_eq!(edited(|it| it[70] = b'x'), BatchError::Time);
}

#[test]
fn limits_hold() {
    let bytes = batch(41, &[b"{}", b"{}"]);
    let at = |bytes, entries| Limits { bytes, entries };
    assert!(decode(&bytes, at(bytes.len(), 2)).is_ok());
    let long = Err(BatchError::TooLong(bytes.len() - 1));
    assert_eq!(decode(&bytes, at(bytes.len() - 1, 2)), long);
    assert_eq!(decode(&bytes, at(bytes.len(), 1)), Err(BatchError::TooMany(1)));
    let overhead = MAX_OVERHEAD_BYTES - ChainId::MAX_BYTES + chain().as_str().len();
    assert_eq!(batch(41, &[]).len(), overhead);
}

#[test]
fn a_body_that_would_grow_without_end_is_refused() {
    let bomb = compress(&vec![0; MAX_BATCH_BYTES + 1]).unwrap();
    assert!(bomb.len() < 10_000, "{}", bomb.len());
    let refused = decompress(&bomb, Limits::COLLECTOR);
    assert_eq!(refused, Err(BatchError::TooLong(MAX_BATCH_BYTES)));
    let most = compress(&vec![0; MAX_BATCH_BYTES]).unwrap();
    assert_eq!(decompress(&most, Limits::COLLECTOR).unwrap().len(), MAX_BATCH_BYTES);
}

#[test]
fn a_body_is_one_frame_that_states_its_size() {
    let body = compress(b"EXEATB02").unwrap();
    assert_eq!(decompress(&body, Limits::COLLECTOR).unwrap(), b"EXEATB02");
    let twice = [&body[..], &body[..]].concat();
    assert_eq!(decompress(&twice, Limits::COLLECTOR), Err(BatchError::Trailing));
    let cut = decompress(&body[..body.len() - 1], Limits::COLLECTOR);
    assert!(matches!(cut, Err(BatchError::Zstd(_))), "{cut:?}");
    // A frame from a stream, whose header says no size: magic, descriptor, window, one empty block.
    let stream = b"\x28\xb5\x2f\xfd\x00\x00\x01\x00\x00";
    let unstated = decompress(stream, Limits::COLLECTOR);
    assert!(matches!(unstated, Err(BatchError::Zstd(it)) if it.contains("not stated")));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        first in 0..u64::MAX / 2,
        previous in any::<[u8; 32]>(),
        signature in any::<[u8; 64]>(),
        records in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 1..20),
    ) {
        let seal = Seal { time: Stamp::new(TIME), signature };
        let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        let bytes =
            encode(&chain(), first, previous.into(), records.iter().copied(), &seal).unwrap();
        let body = compress(&bytes).unwrap();
        let bytes = decompress(&body, Limits::COLLECTOR).unwrap();
        let batch = Batch { chain: chain(), first, previous: previous.into(), records, seal };
        prop_assert_eq!(read(&bytes).unwrap(), batch);
    }

    #[test]
    fn nothing_crashes_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&[MAGIC, &bytes[..]].concat());
        let _ = decompress(&bytes, Limits::COLLECTOR);
    }
}
