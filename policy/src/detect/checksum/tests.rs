use super::*;

fn of(text: &str) -> Digits {
    digits(text.as_bytes()).unwrap()
}

#[test]
fn digits_leave_out_the_rest() {
    assert_eq!(&*of("4111-1111 x"), &[4, 1, 1, 1, 1, 1, 1, 1]);
    assert!(digits(&[b'1'; 41]).is_none());
}

#[test]
fn known_numbers_check_and_changed_ones_do_not() {
    assert!(luhn(&of("79927398713")) && !luhn(&of("79927398710")));
    assert!(verhoeff(&of("2363")) && !verhoeff(&of("2364")));
    assert!(mod11_10(&of("86095742719")) && !mod11_10(&of("86095742718")));
    assert!(mod97(b"GB82WEST12345698765432") && !mod97(b"GB82WEST12345698765431"));
    assert!(!luhn(&[]) && !verhoeff(&[]) && !mod97(b"") && !mod11_10(&[]));
}

#[test]
fn crc_and_encodings() {
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    assert_eq!(base62(b"10"), Some(62));
    assert_eq!(base62(b"zzzzzzz"), None);
    assert_eq!(base64(b"aGVsbG8=", 99).as_deref(), Some(&b"hello"[..]));
    assert_eq!(base64(b"a*", 99), None);
    assert!(bech32(b"A12UEL5L") && bech32(b"a12uel5l") && !bech32(b"a12uel5m"));
    assert!(base58check(b"1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"));
    assert!(!base58check(b"1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3"));
    assert!((entropy(b"aabb") - 1.0).abs() < 1e-9);
}
