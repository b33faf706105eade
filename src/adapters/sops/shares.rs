//! Shamir's secret sharing as in sops (`shamir/shamir.go`, which is HashiCorp's): bytes of
//! GF(2^8) with the polynomial 0x11B, each share's place on the curve in its last byte.

use zeroize::Zeroizing;

/// Puts a secret together from all of these shares; `None` where they are no shares of one secret:
/// fewer than two, of different lengths, two in one place, or one in the place of the secret.
pub(super) fn combine(shares: &[Zeroizing<Vec<u8>>]) -> Option<Zeroizing<Vec<u8>>> {
    let length = shares.first()?.len();
    if shares.len() < 2 || length < 2 || shares.iter().any(|share| share.len() != length) {
        return None;
    }
    let places: Vec<u8> = shares.iter().map(|share| share[length - 1]).collect();
    let unique = (1..places.len()).all(|at| !places[..at].contains(&places[at]));
    if !unique || places.contains(&0) {
        return None;
    }
    let mut secret = Zeroizing::new(vec![0; length - 1]);
    for (share, &own) in shares.iter().zip(&places) {
        let weight = weight(own, &places);
        for (byte, &sample) in secret.iter_mut().zip(share.iter()) {
            *byte ^= product(sample, weight);
        }
    }
    Some(secret)
}

/// What a share counts for in the value at zero (Lagrange).
fn weight(own: u8, places: &[u8]) -> u8 {
    let others = places.iter().filter(|&&place| place != own);
    others.fold(1, |weight, &place| product(weight, product(place, inverse(place ^ own))))
}

/// The product of two bytes, in the same time whatever they are.
fn product(left: u8, right: u8) -> u8 {
    (0..8).rev().fold(0, |sum: u8, bit| {
        let doubled = (sum << 1) ^ (0x1b & (sum >> 7).wrapping_neg());
        doubled ^ (left & (right >> bit & 1).wrapping_neg())
    })
}

/// The inverse: the 254th power.
fn inverse(byte: u8) -> u8 {
    (0..6).fold(product(byte, byte), |power, _| {
        let next = product(power, byte);
        product(next, next)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(bytes.to_vec())
    }

    #[test]
    fn the_field_is_that_of_aes() {
        // FIPS 197, section 4.2, and its inverses.
        assert_eq!(product(0x57, 0x83), 0xc1);
        assert_eq!(product(0x57, 0x13), 0xfe);
        for byte in 1..=255 {
            assert_eq!(product(byte, inverse(byte)), 1, "{byte}");
        }
    }

    #[test]
    fn any_two_points_of_a_line_give_its_beginning() {
        // The line through 0x2a with the slope 7, as sops would share it.
        let point = |place: u8| share(&[0x2a ^ product(7, place), place]);
        for (one, other) in [(1, 2), (2, 1), (1, 3), (200, 255)] {
            assert_eq!(combine(&[point(one), point(other)]).unwrap().as_slice(), [0x2a]);
        }
        assert_eq!(combine(&[point(1), point(2), point(3)]).unwrap().as_slice(), [0x2a]);
    }

    #[test]
    fn what_are_no_shares_of_one_secret_is_refused() {
        for shares in [
            vec![],
            vec![share(&[1, 1])],
            vec![share(&[1, 1]), share(&[2, 1])],
            vec![share(&[1, 1]), share(&[2, 2, 2])],
            vec![share(&[1]), share(&[2])],
            vec![share(&[1, 1]), share(&[2, 0])],
        ] {
            assert!(combine(&shares).is_none());
        }
    }
}
