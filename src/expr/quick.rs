//! The exponential function in floating point, where it rounds as that of `binary64` does.
//!
//! `e^x = 2^(k/128) e^r`: the power is a table's, of two numbers, `e^r` a Taylor polynomial. What comes out is within 2^-59.3 of
//! its power of two, the definition before its rounding within 2^-58.7: where `1.5 · 2^-58` more or less makes no difference, both
//! round to the same number (Ziv's test). One argument in 25 is left to the definition.

use crate::cpu::simd::Kernel;

/// 128 / ln(2).
const PER_STEP: f64 = 184.6649652337873;
/// ln(2) / 128: 33 bits, whose multiples are exact, and the rest.
const STEP: (f64, f64) = (0.005415212347998022, 1.2655086083325438e-13);
/// A number whose sums with smaller ones are whole: 3 · 2^51.
const WHOLE: f64 = 6755399441055744.0;
/// What both may miss: 1.5 · 2^-58.
const DOUBT: f64 = 1.5 / (1u64 << 58) as f64;

/// The exponential function, if it is certain.
#[cfg(test)]
pub(super) fn exp(x: f64) -> Option<f64> {
    let (y, certain) = guess(x);
    certain.then_some(y)
}

/// The exponential function, and whether it is certain.
#[inline(always)]
fn guess(x: f64) -> (f64, bool) {
    let shifted = x * PER_STEP + WHOLE;
    let (k, n) = (shifted - WHOLE, shifted.to_bits() as i32);
    // Exact; then less a number, and what that loses.
    let (a, b) = (x - k * STEP.0, k * STEP.1);
    let r = a - b;
    let taken = a - r;
    let rest = (a - (r + taken)) + (taken - b);
    let q = r * r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0)))));
    let (high, low) = POWERS[(n & 127) as usize];
    let (high, low) = (f64::from_bits(high), f64::from_bits(low));
    let more = low + high * (r + (q + rest));
    let (least, most) = (high + (more - DOUBT), high + (more + DOUBT));
    // Not of NaN either.
    let certain = (least == most) & (x.abs() < 700.0);
    (most * f64::from_bits((((n >> 7) + 1023) as u64) << 52), certain)
}

/// The exponentials of numbers less another, in place.
pub(super) struct Exponentials<'a> {
    pub(super) values: &'a mut [f64],
    pub(super) less: f64,
    /// The function where this one is not certain.
    pub(super) exactly: fn(f64) -> f64,
}

impl Kernel for Exponentials<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        for values in self.values.chunks_mut(64) {
            let (mut arguments, mut certain) = ([0.0; 64], [0u64; 64]);
            for ((x, argument), certain) in values.iter_mut().zip(&mut arguments).zip(&mut certain) {
                *argument = *x - self.less;
                let (y, sure) = guess(*argument);
                (*x, *certain) = (y, u64::from(sure));
            }
            for ((x, &argument), _) in values.iter_mut().zip(&arguments).zip(&certain).filter(|&(_, &certain)| certain == 0) {
                *x = (self.exactly)(argument);
            }
        }
    }
}

/// `2^(i / 128)` as a number and what it misses, bits of binary64.
#[rustfmt::skip]
const POWERS: [(u64, u64); 128] = [
    (0x3ff0_0000_0000_0000, 0x0000_0000_0000_0000),
    (0x3ff0_163d_a9fb_3335, 0x3c9b_6129_9ab8_cdb7),
    (0x3ff0_2c9a_3e77_8061, 0xbc71_9083_535b_085d),
    (0x3ff0_4315_e86e_7f85, 0xbc90_a31c_1977_c96e),
    (0x3ff0_59b0_d315_8574, 0x3c8d_73e2_a475_b465),
    (0x3ff0_706b_29dd_f6de, 0xbc8c_91df_e2b1_3c27),
    (0x3ff0_8745_1875_9bc8, 0x3c61_86be_4bb2_84ff),
    (0x3ff0_9e3e_cac6_f383, 0x3c91_4878_1831_6136),
    (0x3ff0_b558_6cf9_890f, 0x3c98_a62e_4adc_610b),
    (0x3ff0_cc92_2b72_47f7, 0x3c90_1edc_16e2_4f71),
    (0x3ff0_e3ec_32d3_d1a2, 0x3c40_3a17_27c5_7b53),
    (0x3ff0_fb66_affe_d31b, 0xbc6b_9bed_c44e_bd7b),
    (0x3ff1_1301_d012_5b51, 0xbc96_c510_3944_9b3a),
    (0x3ff1_2abd_c06c_31cc, 0xbc51_b514_b36c_a5c7),
    (0x3ff1_429a_aea9_2de0, 0xbc93_2fbf_9af1_369e),
    (0x3ff1_5a98_c8a5_8e51, 0x3c82_406a_b9ee_ab0a),
    (0x3ff1_72b8_3c7d_517b, 0xbc81_9041_b9d7_8a76),
    (0x3ff1_8af9_388c_8dea, 0xbc91_1023_d197_0f6c),
    (0x3ff1_a35b_eb6f_cb75, 0x3c8e_5b4c_7b49_68e4),
    (0x3ff1_bbe0_8404_5cd4, 0xbc99_5386_352e_f607),
    (0x3ff1_d487_3168_b9aa, 0x3c9e_016e_00a2_643c),
    (0x3ff1_ed50_22fc_d91d, 0xbc91_df98_027b_b78c),
    (0x3ff2_063b_8862_8cd6, 0x3c8d_c775_814a_8495),
    (0x3ff2_1f49_917d_dc96, 0x3c82_a97e_9494_a5ee),
    (0x3ff2_387a_6e75_6238, 0x3c99_b07e_b6c7_0573),
    (0x3ff2_51ce_4fb2_a63f, 0x3c8a_c155_bef4_f4a4),
    (0x3ff2_6b45_65e2_7cdd, 0x3c82_bd33_9940_e9d9),
    (0x3ff2_84df_e1f5_6381, 0xbc9a_4c3a_8c3f_0d7e),
    (0x3ff2_9e9d_f51f_dee1, 0x3c86_12e8_afad_1255),
    (0x3ff2_b87f_d0da_d990, 0xbc41_0adc_d638_1aa4),
    (0x3ff2_d285_a6e4_030b, 0x3c90_0247_54db_41d5),
    (0x3ff2_ecaf_a93e_2f56, 0x3c71_ca0f_45d5_2383),
    (0x3ff3_06fe_0a31_b715, 0x3c86_f46a_d231_82e4),
    (0x3ff3_2170_fc4c_d831, 0x3c8a_9ce7_8e18_047c),
    (0x3ff3_3c08_b264_16ff, 0x3c93_2721_8436_59a6),
    (0x3ff3_56c5_5f92_9ff1, 0xbc8b_5cee_5c4e_4628),
    (0x3ff3_71a7_373a_a9cb, 0xbc96_3aea_bf42_eae2),
    (0x3ff3_8cae_6d05_d866, 0xbc9e_958d_3c99_04bd),
    (0x3ff3_a7db_34e5_9ff7, 0xbc75_e436_d661_f5e3),
    (0x3ff3_c32d_c313_a8e5, 0xbc9e_fff8_375d_29c3),
    (0x3ff3_dea6_4c12_3422, 0x3c8a_da09_11f0_9ebc),
    (0x3ff3_fa45_04ac_801c, 0xbc97_d023_f956_f9f3),
    (0x3ff4_160a_21f7_2e2a, 0xbc5e_f369_1c30_9278),
    (0x3ff4_31f5_d950_a897, 0xbc81_c7dd_e35f_7999),
    (0x3ff4_4e08_6061_892d, 0x3c48_9b7a_04ef_80d0),
    (0x3ff4_6a41_ed1d_0057, 0x3c9c_944b_d164_8a76),
    (0x3ff4_86a2_b5c1_3cd0, 0x3c73_c1a3_b690_62f0),
    (0x3ff4_a32a_f0d7_d3de, 0x3c99_cb62_f3d1_be56),
    (0x3ff4_bfda_d536_2a27, 0x3c7d_4397_afec_42e2),
    (0x3ff4_dcb2_99fd_dd0d, 0x3c98_ecdb_bc6a_7833),
    (0x3ff4_f9b2_769d_2ca7, 0xbc94_b309_d259_57e3),
    (0x3ff5_16da_a2cf_6642, 0xbc8f_7685_69bd_93ef),
    (0x3ff5_342b_569d_4f82, 0xbc80_7abe_1db1_3cad),
    (0x3ff5_51a4_ca5d_920f, 0xbc8d_689c_efed_e59b),
    (0x3ff5_6f47_36b5_27da, 0x3c99_bb2c_011d_93ad),
    (0x3ff5_8d12_d497_c7fd, 0x3c82_95e1_5b9a_1de8),
    (0x3ff5_ab07_dd48_5429, 0x3c96_324c_0546_47ad),
    (0x3ff5_c926_8a59_46b7, 0x3c3c_4b1b_8169_86a2),
    (0x3ff5_e76f_15ad_2148, 0x3c9b_a6f9_3080_e65e),
    (0x3ff6_05e1_b976_dc09, 0xbc93_e242_9b56_de47),
    (0x3ff6_247e_b03a_5585, 0xbc93_83c1_7e40_b497),
    (0x3ff6_4346_34cc_c320, 0xbc8c_483c_759d_8933),
    (0x3ff6_6238_8255_2225, 0xbc9b_b609_8759_1c34),
    (0x3ff6_8155_d44c_a973, 0x3c60_38ae_44f7_3e65),
    (0x3ff6_a09e_667f_3bcd, 0xbc9b_dd34_13b2_6456),
    (0x3ff6_c012_750b_dabf, 0xbc72_8956_67ff_0b0d),
    (0x3ff6_dfb2_3c65_1a2f, 0xbc6b_be3a_683c_88ab),
    (0x3ff6_ff7d_f951_9484, 0xbc88_3c0f_2586_0ef6),
    (0x3ff7_1f75_e8ec_5f74, 0xbc81_6e47_8688_7a99),
    (0x3ff7_3f9a_48a5_8174, 0xbc90_a8d9_6c65_d53c),
    (0x3ff7_5feb_5642_67c9, 0xbc90_2459_5731_6dd3),
    (0x3ff7_8069_4fde_5d3f, 0x3c98_66b8_0a02_162d),
    (0x3ff7_a114_73eb_0187, 0xbc84_1577_ee04_992f),
    (0x3ff7_c1ed_0130_c132, 0x3c9f_124c_d116_4dd6),
    (0x3ff7_e2f3_36cf_4e62, 0x3c70_5d02_ba15_797e),
    (0x3ff8_0427_543e_1a12, 0xbc92_7c86_626d_972b),
    (0x3ff8_2589_994c_ce13, 0xbc9d_4c1d_d415_32d8),
    (0x3ff8_471a_4623_c7ad, 0xbc88_d684_a341_cdfb),
    (0x3ff8_68d9_9b44_92ed, 0xbc9f_c6f8_9bd4_f6ba),
    (0x3ff8_8ac7_d98a_6699, 0x3c99_94c2_f37c_b53a),
    (0x3ff8_ace5_422a_a0db, 0x3c96_e9f1_5686_4b27),
    (0x3ff8_cf32_16b5_448c, 0xbc70_d55e_32e9_e3aa),
    (0x3ff8_f1ae_9915_7736, 0x3c85_cc13_a2e3_976c),
    (0x3ff9_145b_0b91_ffc6, 0xbc9d_d679_2e58_2524),
    (0x3ff9_3737_b0cd_c5e5, 0xbc67_5fc7_81b5_7ebc),
    (0x3ff9_5a44_cbc8_520f, 0xbc76_4b7c_96a5_f039),
    (0x3ff9_7d82_9fde_4e50, 0xbc9d_185b_7c1b_85d1),
    (0x3ff9_a0f1_70ca_07ba, 0xbc91_73bd_91ce_e632),
    (0x3ff9_c491_82a3_f090, 0x3c7c_7c46_b071_f2be),
    (0x3ff9_e863_19e3_2323, 0x3c78_24ca_78e6_4c6e),
    (0x3ffa_0c66_7b5d_e565, 0xbc93_5949_5d1c_d533),
    (0x3ffa_309b_ec4a_2d33, 0x3c96_305c_7ddc_36ab),
    (0x3ffa_5503_b23e_255d, 0xbc9d_2f6e_db8d_41e1),
    (0x3ffa_799e_1330_b358, 0x3c9b_cb7e_cac5_63c7),
    (0x3ffa_9e6b_5579_fdbf, 0x3c90_fac9_0ef7_fd31),
    (0x3ffa_c36b_bfd3_f37a, 0xbc8f_9234_cae7_6cd0),
    (0x3ffa_e89f_995a_d3ad, 0x3c97_a1cd_345d_cc81),
    (0x3ffb_0e07_298d_b666, 0xbc9b_def5_4c80_e425),
    (0x3ffb_33a2_b84f_15fb, 0xbc62_805e_3084_d708),
    (0x3ffb_5972_8de5_593a, 0xbc9c_71df_bbba_6de3),
    (0x3ffb_7f76_f2fb_5e47, 0xbc75_584f_7e54_ac3b),
    (0x3ffb_a5b0_30a1_064a, 0xbc9e_fcd3_0e54_292e),
    (0x3ffb_cc1e_904b_c1d2, 0x3c82_3dd0_7a2d_9e84),
    (0x3ffb_f2c2_5bd7_1e09, 0xbc9e_fdca_3f6b_9c73),
    (0x3ffc_199b_dd85_529c, 0x3c81_1065_8950_48dd),
    (0x3ffc_40ab_5fff_d07a, 0x3c9b_4537_e083_c60a),
    (0x3ffc_67f1_2e57_d14b, 0x3c92_884d_ff48_3cad),
    (0x3ffc_8f6d_9406_e7b5, 0x3c71_acbc_4880_5c44),
    (0x3ffc_b720_dcef_9069, 0x3c75_03cb_d1e9_49db),
    (0x3ffc_df0b_555d_c3fa, 0xbc8d_d83b_5382_9d72),
    (0x3ffd_072d_4a07_897c, 0xbc9c_bc37_4379_7a9c),
    (0x3ffd_2f87_080d_89f2, 0xbc9d_487b_719d_8578),
    (0x3ffd_5818_dcfb_a487, 0x3c82_ed02_d75b_3707),
    (0x3ffd_80e3_16c9_8398, 0xbc91_1ec1_8bed_dfe8),
    (0x3ffd_a9e6_03db_3285, 0x3c9c_2300_696d_b532),
    (0x3ffd_d321_f301_b460, 0x3c92_da57_78f0_18c3),
    (0x3ffd_fc97_337b_9b5f, 0xbc91_a5cd_4f18_4b5c),
    (0x3ffe_2646_14f5_a129, 0xbc97_b627_817a_1496),
    (0x3ffe_502e_e78b_3ff6, 0x3c83_9e89_80a9_cc8f),
    (0x3ffe_7a51_fbc7_4c83, 0x3c92_d522_ca0c_8de2),
    (0x3ffe_a4af_a2a4_90da, 0xbc9e_9c23_179c_2893),
    (0x3ffe_cf48_2d8e_67f1, 0xbc9c_93f3_b411_ad8c),
    (0x3ffe_fa1b_ee61_5a27, 0x3c9d_c7f4_86a4_b6b0),
    (0x3fff_252b_376b_ba97, 0x3c93_a1a5_bf0d_8e43),
    (0x3fff_5076_5b6e_4540, 0x3c99_d3e1_2dd8_a18b),
    (0x3fff_7bfd_ad9c_be14, 0xbc9d_bb12_d006_350a),
    (0x3fff_a7c1_819e_90d8, 0x3c87_4853_f3a5_931e),
    (0x3fff_d3c2_2b8f_71f1, 0x3c62_eb74_9665_79e7),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Philox4x32;
    use crate::expr::binary64::exp_exactly;

    #[test]
    fn it_has_the_bits_of_the_definition_nearly_always() {
        let philox = Philox4x32::new(5);
        let (mut certain, count) = (0, 400_000);
        for i in 0..count {
            let [a, b, ..] = philox.block(i);
            let bits = u64::from(a) << 32 | u64::from(b);
            let fraction = (bits >> 11) as f64 / 2f64.powi(53);
            let x = match i % 4 {
                0 => -30.0 * fraction,
                1 => 1400.0 * (fraction - 0.5),
                2 => fraction,
                _ => f64::from_bits(bits >> 12 | (bits % 128 + 900) << 52),
            };
            if let Some(y) = exp(x) {
                assert_eq!(y.to_bits(), exp_exactly(x).to_bits(), "exp({x:e})");
                certain += 1;
            }
        }
        assert!(certain > count * 9 / 10, "{certain} of {count}");
    }

    #[test]
    fn many_at_once_are_what_each_is() {
        let mut state = 7u64;
        let mut number = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 11) as f64 * 2f64.powi(-44) - 256.0
        };
        let mut values: Vec<f64> = (0..1000).map(|_| number()).collect();
        values.extend([0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300, 699.9, 701.0, -745.0, 1e-310]);
        for simd in crate::cpu::simd::Simd::available() {
            for less in [0.0, 3.25, -0.1, 255.0] {
                let mut got = values.clone();
                crate::expr::binary64::exponentials(&mut got, less, simd);
                for (x, y) in values.iter().zip(got) {
                    assert_eq!(y.to_bits(), exp_exactly(x - less).to_bits(), "{simd:?} exp({x:e} - {less})");
                }
            }
        }
    }
}
