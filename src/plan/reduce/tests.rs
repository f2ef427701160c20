use super::*;

#[test]
fn keys_order_as_the_values_do() {
    let values = [f64::NEG_INFINITY, -1.5, -1e-320, -0.0, 0.0, 1e-320, 1.5, f64::INFINITY];
    assert!(values.windows(2).all(|w| w[0].key() < w[1].key()));
    assert!(values.iter().all(|v| f64::from_key(v.key()).to_bits() == v.to_bits()));
    assert!(f64::from_key(f64::NAN.extreme_key(true)).is_nan() && f64::from_key(f64::NAN.extreme_key(false)).is_nan());
    assert!(f32::from_key(f32::NAN.extreme_key(true)).is_nan() && f32::from_key(f32::NAN.extreme_key(false)).is_nan());
    assert!([i64::MIN, -1, 0, 1, i64::MAX].windows(2).all(|w| w[0].key() < w[1].key()));
    assert_eq!(i8::from_key((-7i8).key()), -7);
}

#[test]
fn float_products_reach_past_the_range_and_come_back() {
    let mut p = FloatProduct::ONE;
    for _ in 0..1000 {
        p.push(1e300);
    }
    for _ in 0..1000 {
        p.push(1e-300);
    }
    assert!((p.to_f64() - 1.0).abs() < 1e-12, "{p:?}");
    assert_eq!(FloatProduct::new(5e-324, 0).to_f64(), 5e-324);
    assert_eq!(FloatProduct::new(1.0, 1024).to_f64(), f64::INFINITY);
    assert_eq!(FloatProduct::new(-1.0, -2000).to_f64().to_bits(), (-0.0f64).to_bits());
}

#[test]
fn axes_are_checked() {
    let how = |axes: &[isize]| ReducePlan::new(&Reduce::sum().axes(axes).keepdims(), Dtype::U8, &[2, 3, 4]);
    assert_eq!(how(&[-1, 0]).unwrap().shape, [1, 3, 1]);
    assert_eq!(how(&[3]).unwrap_err().to_string(), "axis: got 3, expected an axis of an array of rank 3");
    assert!(how(&[0, -3]).unwrap_err().to_string().contains("every axis once"));
    let empty = ReducePlan::new(&Reduce::min(), Dtype::F32, &[3, 0]);
    assert!(empty.unwrap_err().to_string().contains("at least one element"));
    assert!(ReducePlan::new(&Reduce::min().axes(&[1]), Dtype::F32, &[0, 3]).is_ok());
}
