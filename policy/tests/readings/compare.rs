//! Whether what a server sees is one of the readings. Shared with the fuzz target `path_readings`.

use exeat_policy::reading::Readings;
use percent_encoding::percent_decode;

/// Whether it is, as it is or decoded once more.
pub(crate) fn is_among(readings: &Readings, seen: &[u8]) -> bool {
    let again = decode(seen);
    readings.iter().map(|reading| decode(reading.as_bytes())).any(|reading| {
        let reading = plain(&reading);
        reading == plain(seen) || reading == plain(&again)
    })
}

pub(crate) fn decode(text: &[u8]) -> Vec<u8> {
    percent_decode(text).collect()
}

/// What no rule tells apart: a final slash, how many slashes stand together, and dot segments that
/// lead nowhere, since patterns hold none. Charsets change no ASCII.
fn plain(path: &[u8]) -> Vec<Vec<u8>> {
    let ascii: Vec<u8> = path.iter().copied().filter(u8::is_ascii).collect();
    let segments = ascii.split(|byte| *byte == b'/').filter(|one| !matches!(*one, b"" | b"."));
    segments.skip_while(|one| *one == b"..").map(<[u8]>::to_vec).collect()
}
