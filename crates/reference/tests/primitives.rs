//! The primitives where the page is strict: orders of sums, ties, NaNs. Expected values are computed by hand.

use bitstate_reference::canonical::primitives::{
    WkvHead, layer_norm, max, min, mix, quantise, quantise_head, sum16, wkv,
};

const NAN: f32 = f32::NAN;
/// From here on adding 1 to a float is lost (a tie, to even), adding 2 is not.
const BIG: f32 = 16777216.0;

#[test]
fn max_and_min_give_the_second_operand_for_a_nan() {
    assert!(max(0.0, NAN).is_nan() && min(0.0, NAN).is_nan());
    assert_eq!([max(NAN, 1.0), min(NAN, 1.0), max(2.0, 1.0), min(2.0, 1.0)], [1.0, 1.0, 2.0, 1.0]);
    assert_eq!(max(0.0, -0.0).to_bits(), (-0.0_f32).to_bits());
}

/// `BIG` in lane 0 and ones elsewhere: a one added to `BIG` alone is lost, two added to each other first are not.
fn sum_with_ones_at(ones: &[usize]) -> f32 {
    sum16((0..40).map(|i| if i == 0 { BIG } else { f32::from(u8::from(ones.contains(&i))) })) - BIG
}

#[test]
fn sum16_adds_in_its_own_order() {
    assert_eq!(sum_with_ones_at(&[16, 32]), 0.0, "one lane, one after the other");
    assert_eq!(sum_with_ones_at(&[8]), 0.0);
    assert_eq!(sum_with_ones_at(&[1, 17]), 2.0, "another lane first sums itself");
    assert_eq!(sum_with_ones_at(&[1, 9]), 2.0, "lanes 8 apart are folded first");
    assert_eq!(sum_with_ones_at(&[8, 4]), 0.0);
    assert_eq!(sum_with_ones_at(&[2, 6]), 2.0, "then lanes 4 apart");
    assert_eq!(sum_with_ones_at(&[4, 2]), 0.0);
    assert_eq!(sum_with_ones_at(&[1, 3]), 2.0, "then lanes 2 apart");
    assert_eq!(sum_with_ones_at(&[2, 1]), 0.0);
}

#[test]
fn sum16_never_gives_a_negative_zero() {
    assert_eq!(sum16([]).to_bits(), 0);
    assert_eq!(sum16([-0.0; 33]).to_bits(), 0);
}

#[test]
fn layer_norm_of_equal_values_is_its_bias() {
    assert_eq!(layer_norm(&[3.0; 5], &[2.0; 5], &[0.25; 5]), [0.25; 5]);
}

#[test]
fn layer_norm_of_a_variance_that_overflows_is_nan() {
    assert!(layer_norm(&[1e25, -1e25, 3.0], &[2.0; 3], &[0.25; 3]).iter().all(|y| y.is_nan()));
    assert!(layer_norm(&[1e18, -1e18, 3.0], &[2.0; 3], &[0.25; 3]).iter().all(|y| y.is_finite()));
}

#[test]
fn layer_norm_divides_by_the_biased_deviation() {
    let y = layer_norm(&[1.0, -1.0, 3.0, -3.0], &[1.0, 1.0, 1.0, 2.0], &[0.0, 0.0, 1.0, 0.0]);
    let inv = 1.0 / 5.00001_f32.sqrt();
    assert_eq!(y, [inv, -inv, 3.0 * inv + 1.0, -3.0 * inv * 2.0]);
}

/// Mean magnitude 50.8: 2.5 times that is 127, so a step is 1.
#[test]
fn quantise_rounds_ties_to_even_and_clamps() {
    let n = quantise(&[0.5, 1.5, 2.5, -3.5, 246.0]);
    assert_eq!((n.q, n.a), (vec![0, 2, 2, -4, 127], 1.0));
}

#[test]
fn quantise_is_defined_for_zeros_infinities_and_nans() {
    let zeros = quantise(&[0.0; 3]);
    assert_eq!((zeros.q, zeros.a), (vec![0; 3], 1e-8 / 127.0));
    let infinite = quantise(&[1.0, f32::INFINITY]);
    assert_eq!((infinite.q, infinite.a), (vec![0, -127], f32::INFINITY));
    let nan = quantise(&[1.0, NAN]);
    assert_eq!(nan.q, [-127, -127]);
    assert!(nan.a.is_nan());
}

#[test]
fn the_heads_activations_span_15_bits() {
    let (q, step) = quantise_head(&[16383.0, -2.5, 1.5, -16383.0]);
    assert_eq!((q, step), (vec![16383, -2, 2, -16383], 1.0));
    let (q, step) = quantise_head(&[1.0, -NAN]);
    assert_eq!(q, [-16383, -16383]);
    assert!(step.is_nan());
}

#[test]
fn mix_moves_towards_the_previous_token() {
    assert_eq!(mix(&[1.0, 2.0, 3.0], &[3.0, 4.0, 5.0], &[0.0, 0.5, 1.0]), [1.0, 3.0, 5.0]);
}

#[test]
fn wkv_reads_the_state_before_updating_it() {
    let head = WkvHead { r: &[1.0, 2.0], k: &[3.0, 4.0], v: &[5.0, 6.0], w: &[0.5, 0.25], b: &[1.0, 2.0] };
    let mut state = [0.0; 4];
    // The state is empty: c = 1·1·3 + 2·2·4 = 19 times v.
    assert_eq!(wkv(&head, &mut state), [95.0, 114.0]);
    assert_eq!(state, [15.0, 18.0, 20.0, 24.0]);
    // r times the state, 15 + 2·20 and 18 + 2·24, and the same as before.
    assert_eq!(wkv(&head, &mut state), [150.0, 180.0]);
    assert_eq!(state, [22.5, 27.0, 25.0, 30.0]);
}
