use super::*;
use proptest::prelude::*;

type Line = (Vec<u8>, Vec<u8>);

/// A decoder by the letter of RFC 7541, of a table that is as large as it may be.
#[derive(Default)]
struct Reader {
    /// The newest first.
    table: Vec<Line>,
    size: Option<usize>,
}

fn of_static(index: usize) -> Line {
    let (name, value) = match index {
        1 => (":authority", ""),
        2 => (":method", "GET"),
        4 => (":path", "/"),
        7 => (":scheme", "https"),
        58 => ("user-agent", ""),
        _ => panic!("the tests do not use {index}"),
    };
    (name.into(), value.into())
}

fn size((name, value): &Line) -> usize {
    name.len() + value.len() + 32
}

impl Reader {
    fn evict(&mut self, room: usize) {
        let most = self.size.unwrap_or(TABLE);
        while self.table.iter().map(size).sum::<usize>() + room > most && self.table.pop().is_some()
        {
        }
    }

    fn insert(&mut self, line: Line) {
        self.evict(size(&line));
        if size(&line) <= self.size.unwrap_or(TABLE) {
            self.table.insert(0, line);
        }
    }

    fn line(&self, index: usize) -> Line {
        if index <= STATIC { of_static(index) } else { self.table[index - STATIC - 1].clone() }
    }

    fn read(&mut self, block: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for field in Fields::of(block) {
            match field.unwrap().0 {
                Field::Resize(size) => {
                    self.size = Some(size);
                    self.evict(0);
                }
                Field::Indexed(index) => lines.push(self.line(index)),
                Field::Literal { keeping, name, value } => {
                    let name = match name {
                        Name::Of(index) => self.line(index).0,
                        Name::Literal(name) => name.decoded().unwrap(),
                    };
                    let line = (name, value.decoded().unwrap());
                    if keeping == Keeping::Indexed {
                        self.insert(line.clone());
                    }
                    lines.push(line);
                }
            }
        }
        lines
    }
}

/// How a client writes one line.
#[derive(Debug, Clone)]
struct Choice {
    path: bool,
    value: Vec<u8>,
    first: u8,
    /// By the table, where it can.
    by_index: bool,
    literal_name: bool,
}

fn text(text: &[u8]) -> Vec<u8> {
    assert!(text.len() < 127);
    [&[text.len() as u8], text].concat()
}

/// Appends an index below 127 and its first byte.
fn index(first: u8, bits: u32, index: usize, out: &mut Vec<u8>) {
    let most = (1 << bits) - 1;
    if index < most {
        out.push(first | index as u8);
    } else {
        out.extend([first | most as u8, (index - most) as u8]);
    }
}

/// Writes a block as a client with this table may.
fn write(table: &Reader, mut choices: Vec<Choice>) -> Vec<u8> {
    let mut client = Reader { table: table.table.clone(), size: table.size };
    let mut out = vec![0x82, 0x87];
    choices.sort_by_key(|choice| !choice.path);
    let paths = choices.iter().filter(|choice| choice.path).count();
    for choice in choices.into_iter().skip(paths.saturating_sub(1)) {
        let name: &[u8] = if choice.path { b":path" } else { b"user-agent" };
        let line = (name.to_vec(), choice.value);
        let before = out.len();
        let found = client.table.iter().position(|one| *one == line).filter(|at| at + 62 < 126);
        let named = client.table.iter().position(|one| one.0 == name).filter(|at| at + 62 < 126);
        let bits = if choice.first == 0x40 { 6 } else { 4 };
        match (choice.by_index, found, named) {
            (true, Some(at), _) => index(0x80, 7, at + 62, &mut out),
            (true, None, Some(at)) => index(choice.first, bits, at + 62, &mut out),
            _ if choice.literal_name => {
                out.push(choice.first);
                out.extend(text(name));
            }
            _ => index(choice.first, bits, if choice.path { 4 } else { 58 }, &mut out),
        }
        if !(choice.by_index && found.is_some()) {
            out.extend(text(&line.1));
        }
        client.read(&[&[0x82], &out[before..]].concat());
    }
    out
}

fn choice() -> impl Strategy<Value = Choice> {
    let path =
        prop::sample::select(vec![&b"/"[..], b"/a", b"/b<", b"/c?\"", b"/\xff\xc0\xaf", b"/d<\0"]);
    let other = prop::collection::vec(b'a'..b'e', 0..100);
    let value = prop_oneof![
        path.prop_map(|path| (true, path.to_vec())),
        other.prop_map(|value| (false, value))
    ];
    let first = prop::sample::select(vec![0x40_u8, 0x40, 0, 0x10]);
    (value, first, any::<bool>(), any::<bool>()).prop_map(
        |((path, value), first, by_index, literal_name)| Choice {
            path,
            value,
            first,
            by_index,
            literal_name,
        },
    )
}

/// What the library has to read.
fn expected(lines: Vec<Line>) -> Vec<Line> {
    let mut sent = None;
    let mut lines: Vec<Line> = lines
        .into_iter()
        .map(|(name, value)| match known_form(&value).filter(|_| name == b":path") {
            Some(known) => {
                sent = Some((MARKER.as_str().into(), value));
                (name, known)
            }
            None => (name, value),
        })
        .collect();
    lines.extend(sent);
    lines
}

proptest! {
    /// However a client writes its requests, the library reads what the client means.
    #[test]
    fn the_library_reads_what_the_client_means(
        requests in prop::collection::vec(prop::collection::vec(choice(), 1..6), 1..60),
        resized in any::<bool>(),
    ) {
        let (mut client, mut library) = (Reader::default(), Reader::default());
        let mut blocks = Blocks::default();
        for (at, request) in requests.into_iter().enumerate() {
            // A client may use less of the table for a while (RFC 7541 §4.2).
            let update: &[u8] = if resized && at == 20 { &[0x20, 0x3f, 0xe1, 0x1f] } else { &[] };
            client.read(update);
            let block = [update, &write(&client, request)].concat();
            let meant = expected(client.read(&block));
            let read = match blocks.read(&block).unwrap() {
                Block::AsItIs => library.read(&block),
                Block::Instead(block) => library.read(&block),
            };
            prop_assert_eq!(read, meant);
            prop_assert!(blocks.table.entries.len() <= ENTRIES && blocks.table.length <= WIRE);
        }
    }

    #[test]
    fn any_bytes_are_bounded(pieces: Vec<Vec<u8>>) {
        let mut blocks = Blocks::default();
        for piece in [b"\x44\x03/a<".to_vec()].into_iter().chain(pieces) {
            match blocks.read(&piece) {
                Ok(Block::Instead(block)) => prop_assert!(block.len() <= HEAD_LIMIT + 64),
                Ok(Block::AsItIs) => prop_assert!(false, "a block passes unread"),
                Err(Malformed) => break,
            }
        }
    }
}

#[test]
fn a_client_without_odd_paths_is_left_alone() {
    let mut blocks = Blocks::default();
    for block in [&b"\x82\x87\x44\x02/a"[..], b"\x82\x87\xbe", b"\x82\x87\x84", b""] {
        assert_eq!(blocks.read(block), Ok(Block::AsItIs));
    }
    assert!(!blocks.is_apart());
}

#[test]
fn what_a_path_is_replaced_by() {
    let mut blocks = Blocks::default();
    let instead = blocks.read(b"\x82\x44\x03/a<\x87").unwrap();
    let block = [&b"\x82\x04\x05/a%3C\x87\x10\x0cexeat-target\x03/a<"[..]].concat();
    assert_eq!(instead, Block::Instead(block));
    assert!(blocks.is_apart());
}

/// A few bytes that stand for many: names of a long entry, and of a long path.
#[test]
fn no_block_grows_beyond_the_limit() {
    for path in [false, true] {
        let mut blocks = Blocks::default();
        let long = [&b"/"[..], &[b'<'; 4000]].concat();
        let mut entry = vec![if path { 0x44 } else { 0x7a }];
        entry.extend([0x7f, (long.len() - 127) as u8 & 127 | 128, ((long.len() - 127) >> 7) as u8]);
        entry.extend(&long);
        blocks.read(b"\x04\x03/a<").unwrap();
        blocks.read(&entry).unwrap();
        let Block::Instead(block) = blocks.read(&[0xbe; HEAD_LIMIT]).unwrap() else { panic!() };
        assert!(block.len() < HEAD_LIMIT + 64 && block.len() > HEAD_LIMIT);
    }
}

#[test]
fn entries_that_are_not_there_are_malformed() {
    for block in [
        &b"\xbe"[..],
        b"\x80",
        b"\x7f\x00\x01x",
        b"\x0f\x2f\x01x",
        b"\xff\xff\xff\xff\x7f",
        b"\x3f\xe2\x1f",
    ] {
        let mut blocks = Blocks::default();
        blocks.read(b"\x04\x03/a<").unwrap();
        assert_eq!(blocks.read(block), Err(Malformed), "{block:x?}");
    }
}
