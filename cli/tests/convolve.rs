//! `unisono convolve` on pictures and arrays.

mod common;

use std::fs;
use std::path::Path;

use common::{arg, data, error, json, npy_header, stdout, unisono};
use image::{DynamicImage, GrayImage, ImageBuffer, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage};
use ndarray::{Array2, Array3, ArrayD, array};
use ndarray_npy::{read_npy, write_npy};
use tempfile::tempdir;
use unisono::filters::{self, Axes};
use unisono::{Backend, Boundary, Centre, Convolve, Overflow};

fn convolve(input: &Path, output: &Path, rest: &[&str]) {
    unisono(&[&["convolve", arg(input), "-o", arg(output)], rest].concat()).assert().success();
}

#[test]
fn a_box_is_the_mean_of_the_pixels_rounded() {
    let folder = tempdir().unwrap();
    let (input, output) = (folder.path().join("in.png"), folder.path().join("out.png"));
    let pixel = |x: i64, y: i64| ((x * 37 + y * 91 + x * y) % 256) as u8;
    GrayImage::from_fn(19, 13, |x, y| Luma([pixel(x.into(), y.into())])).save(&input).unwrap();
    convolve(&input, &output, &["-k", "box:3", "--boundary", "nearest"]);
    let DynamicImage::ImageLuma8(result) = image::open(&output).unwrap() else { panic!("kept grey and 8 bits") };
    for (x, y, Luma([value])) in result.enumerate_pixels() {
        let near = |d: i64, at: u32, n: i64| (i64::from(at) + d).clamp(0, n - 1);
        let sum: i64 = (-1..=1)
            .flat_map(|i| (-1..=1).map(move |j| (i, j)))
            .map(|(i, j)| i64::from(pixel(near(i, x, 19), near(j, y, 13))))
            .sum();
        // No tie is possible at a ninth, and the float error is far below the distance to one.
        assert_eq!(i64::from(*value), (sum as f64 / 9.0).round() as i64, "{x} {y}");
    }
}

#[test]
fn every_kind_of_picture_keeps_its_depth_and_alpha() {
    let folder = tempdir().unwrap();
    let at = |x: u32, y: u32, c: u32| (x * 29 + y * 53 + c * 101) % 256;
    let wide = |x: u32, y: u32, c: u32| (257 * at(x, y, c)) as u16;
    let pictures: Vec<(DynamicImage, &[&str])> = vec![
        (GrayImage::from_fn(9, 7, |x, y| Luma([at(x, y, 0) as u8])).into(), &["png", "tiff", "jpg"]),
        (RgbImage::from_fn(9, 7, |x, y| Rgb([0, 1, 2].map(|c| at(x, y, c) as u8))).into(), &["png", "tif", "jpeg"]),
        (RgbaImage::from_fn(9, 7, |x, y| Rgba([0, 1, 2, 3].map(|c| at(x, y, c) as u8))).into(), &["png", "tiff"]),
        (ImageBuffer::from_fn(9, 7, |x, y| LumaA([0, 1].map(|c| at(x, y, c) as u8))).into(), &["png"]),
        (ImageBuffer::from_fn(9, 7, |x, y| Luma([wide(x, y, 0)])).into(), &["png", "tiff"]),
        (ImageBuffer::from_fn(9, 7, |x, y| Rgb([0, 1, 2].map(|c| wide(x, y, c)))).into(), &["png", "tiff"]),
        (ImageBuffer::from_fn(9, 7, |x, y| Rgba([0, 1, 2, 3].map(|c| wide(x, y, c)))).into(), &["png", "tiff"]),
    ];
    for (picture, extensions) in pictures {
        for extension in extensions {
            let (input, output) = (folder.path().join("in").with_extension(extension), folder.path().join("out.png"));
            picture.save(&input).unwrap();
            convolve(&input, &output, &["-k", "identity"]);
            assert_eq!(image::open(&input).unwrap(), image::open(&output).unwrap(), "{extension}");
            let output = folder.path().join("out").with_extension(extension);
            convolve(&input, &output, &["-k", "gaussian:1"]);
            let (before, after) = (image::open(&input).unwrap(), image::open(&output).unwrap());
            assert_eq!(before.color(), after.color());
            assert_ne!(before, after);
            if picture.color().has_alpha() {
                let alpha = |image: &DynamicImage| image.to_rgba16().pixels().map(|p| p.0[3]).collect::<Vec<_>>();
                assert_eq!(alpha(&before), alpha(&after));
            }
        }
    }
}

#[test]
fn results_are_saturated() {
    let folder = tempdir().unwrap();
    let (input, output) = (folder.path().join("in.png"), folder.path().join("out.png"));
    GrayImage::from_fn(8, 8, |x, _| Luma([if x < 4 { 10 } else { 250 }])).save(&input).unwrap();
    convolve(&input, &output, &["-k", "sobel-x"]);
    let row = |path: &Path| image::open(path).unwrap().into_luma8().as_raw()[..8].to_vec();
    assert_eq!(row(&output), [0, 0, 0, 255, 255, 0, 0, 0]);
    convolve(&input, &output, &["-k", "sharpen"]);
    assert_eq!(row(&output), [10, 10, 10, 0, 255, 250, 250, 250]);
    convolve(&input, &output, &["-k", "sobel-x", "--correlate"]);
    assert_eq!(row(&output), [0; 8]);
    let array = folder.path().join("out.npy");
    convolve(&input, &array, &["-k", "sobel-x"]);
    let exact: ArrayD<i16> = read_npy(&array).unwrap();
    assert_eq!(exact.as_slice().unwrap()[..8], [0, 0, 0, 960, 960, 0, 0, 0]);
}

#[test]
fn a_full_result_is_transparent_where_nothing_was() {
    let folder = tempdir().unwrap();
    let (input, output) = (folder.path().join("in.png"), folder.path().join("out.png"));
    RgbaImage::from_pixel(4, 3, Rgba([200, 100, 50, 255])).save(&input).unwrap();
    convolve(&input, &output, &["-k", "box:3", "--mode", "full", "--value", "0"]);
    let result = image::open(&output).unwrap().into_rgba8();
    assert_eq!(result.dimensions(), (6, 5));
    assert!(result.enumerate_pixels().all(|(x, y, p)| (p.0[3] == 255) == ((1..5).contains(&x) && (1..4).contains(&y))));
    convolve(&input, &output, &["-k", "box:3", "--mode", "valid"]);
    assert_eq!(image::open(&output).unwrap().into_rgba8(), RgbaImage::from_pixel(2, 1, Rgba([200, 100, 50, 255])));
}

#[test]
fn arrays_agree_with_the_library() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let images = Array3::from_shape_fn((4, 9, 8), |(i, y, x)| ((i * 57 + y * 31 + x * 13) % 200) as i16 - 100);
    let bank = Array3::from_shape_fn((2, 3, 4), |(k, y, x)| (k * 12 + y * 4 + x) as u8);
    write_npy(at("images.npy"), &images).unwrap();
    write_npy(at("bank.npy"), &bank).unwrap();
    let how = Convolve::d2().valid();
    for (flag, expected) in [
        (&[][..], Backend::cpu().convolve(&images, &bank, &how).unwrap()),
        (&["--correlate"], Backend::cpu().correlate(&images, &bank, &how).unwrap()),
    ] {
        convolve(&at("images.npy"), &at("out.npy"), &[&["-k", arg(&at("bank.npy")), "--mode", "valid"], flag].concat());
        let result: ArrayD<i16> = read_npy(at("out.npy")).unwrap();
        assert_eq!(result.shape(), [4, 2, 7, 5]);
        assert_eq!(result, expected.into_ndarray().unwrap());
    }
    convolve(&at("images.npy"), &at("out.npy"), &["-k", "laplace", "--boundary", "wrap", "--dtype", "float64"]);
    let result: ArrayD<f64> = read_npy(at("out.npy")).unwrap();
    let laplace: Array2<f64> = array![[0., 1., 0.], [1., -4., 1.], [0., 1., 0.]];
    let how = Convolve::d2().same().boundary(Boundary::Wrap);
    assert_eq!(result, Backend::cpu().convolve(&images, &laplace, &how).unwrap().into_ndarray().unwrap());
    // From an array to a picture and back.
    let grey = Array2::from_shape_fn((5, 6), |(y, x)| (1000 * y + x) as u16);
    write_npy(at("grey.npy"), &grey).unwrap();
    convolve(&at("grey.npy"), &at("grey.png"), &["-k", "identity"]);
    convolve(&at("grey.png"), &at("back.npy"), &["-k", "identity", "--dtype", "uint16"]);
    assert_eq!(read_npy::<_, Array2<u16>>(at("back.npy")).unwrap(), grey);
}

#[test]
fn channels_centres_overflow_and_nan_are_those_of_the_library() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let run = |rest: &[&str]| {
        convolve(&at("x.npy"), &at("y.npy"), &[&["-k", arg(&at("k.npy"))], rest].concat());
    };
    let images = ArrayD::from_shape_fn(&[2, 4, 6, 5][..], |i| ((i[0] * 57 + i[1] * 31 + i[2] * 13 + i[3]) % 90) as i16 - 40);
    let layer = ArrayD::from_shape_fn(&[6, 2, 3, 2][..], |i| (i[0] * 12 + i[1] * 6 + i[2] * 2 + i[3]) as u8);
    write_npy(at("x.npy"), &images).unwrap();
    write_npy(at("k.npy"), &layer).unwrap();
    run(&["--groups", "2", "--mode", "valid", "--correlate"]);
    let result: ArrayD<i16> = read_npy(at("y.npy")).unwrap();
    let how = Convolve::d2().valid();
    assert_eq!(result, Backend::cpu().correlate(&images, &layer, &how.clone().groups(2)).unwrap().into_ndarray().unwrap());
    assert_eq!(result.shape(), [2, 6, 4, 4]);
    let [input, kernel, no] = ["x.npy", "k.npy", "no.npy"].map(at);
    let refused = |code, groups: &str, kernel: &str| {
        error(code, &["convolve", arg(&input), "-o", arg(&no), "-k", kernel, "--groups", groups])
    };
    assert!(refused(2, "0", arg(&kernel)).contains("at least 1"));
    assert!(refused(1, "3", arg(&kernel)).contains("groups: got 3"));
    assert!(refused(2, "2", "box:3").contains("in groups of channels"));

    let kernel = array![[1i16, 2], [3, 4]];
    write_npy(at("k.npy"), &kernel).unwrap();
    for centre in [Centre::Signal, Centre::Signal2d, Centre::Ndimage] {
        for flag in [&[][..], &["--correlate"]] {
            run(&[&["--centre", &centre.to_string()], flag].concat());
            let how = Convolve::d2().same().boundary(Boundary::Reflect).centre(centre);
            let expected = match flag {
                [] => Backend::cpu().convolve(&images, &kernel, &how),
                _ => Backend::cpu().correlate(&images, &kernel, &how),
            };
            assert_eq!(read_npy::<_, ArrayD<i16>>(at("y.npy")).unwrap(), expected.unwrap().into_ndarray().unwrap(), "{centre}");
        }
    }

    write_npy(at("x.npy"), &array![[200u8, 100]]).unwrap();
    write_npy(at("k.npy"), &array![[2u8]]).unwrap();
    let text = error(1, &["convolve", arg(&input), "-o", arg(&no), "-k", arg(&at("k.npy"))]);
    assert!(text.contains("does not fit uint8"), "{text}");
    for (policy, expected) in [(Overflow::Wrap, 144), (Overflow::Saturate, 255)] {
        run(&["--overflow", &policy.to_string()]);
        assert_eq!(read_npy::<_, Array2<u8>>(at("y.npy")).unwrap(), array![[expected, 200]]);
    }

    let x = array![[1f32, f32::NAN, 4.0, 6.0], [2.0, f32::NAN, f32::NAN, 5.0]];
    let k = array![[1f32, 2.0, 1.0]];
    write_npy(at("x.npy"), &x).unwrap();
    write_npy(at("k.npy"), &k).unwrap();
    run(&["--nan", "ignore", "--value", "nan"]);
    let found: Array2<f32> = read_npy(at("y.npy")).unwrap();
    assert_eq!(found, array![[1.0, 2.5, 14.0 / 3.0, 16.0 / 3.0], [2.0, 2.0, 5.0, 5.0]]);
    run(&["--nan", "ignore"]);
    let how = Convolve::d2().same().boundary(Boundary::Reflect);
    let expected = Backend::cpu().convolve_without_nan(&x, &k, &how).unwrap().into_ndarray().unwrap();
    assert_eq!(read_npy::<_, Array2<f32>>(at("y.npy")).unwrap(), expected);
    run(&[]);
    assert!(read_npy::<_, Array2<f32>>(at("y.npy")).unwrap()[[0, 0]].is_nan());
}

/// Pictures have no axis of channels to sum over and no NaN, and are saturated.
#[test]
fn what_pictures_have_not_is_refused() {
    let folder = tempdir().unwrap();
    let (picture, array) = (folder.path().join("out.png"), folder.path().join("out.npy"));
    let (camera, bank) = (data("camera.png"), folder.path().join("bank.npy"));
    write_npy(&bank, &Array3::<f32>::ones((1, 3, 3))).unwrap();
    for (output, kernel, option, expected) in [
        (&picture, arg(&bank), ["--groups", "1"], "--groups: got 1 for a picture, expected .npy arrays"),
        (&array, "box:3", ["--nan", "ignore"], "--nan: got ignore for a picture, expected .npy arrays"),
        (&picture, "box:3", ["--overflow", "wrap"], "--overflow: got wrap for a picture, expected saturate"),
        (&picture, "box:3", ["--overflow", "error"], "--overflow: got error for a picture, expected saturate"),
    ] {
        let args = ["convolve", arg(&camera), "-o", arg(output), "-k", kernel];
        let text = error(1, &[&args[..], &option].concat());
        assert!(text.contains("camera.png: ") && text.contains(expected), "{text}");
    }
    assert!(!picture.exists() && !array.exists());
    convolve(&camera, &picture, &["-k", "sharpen", "--overflow", "saturate"]);
    convolve(&camera, &array, &["-k", "sharpen", "--overflow", "wrap"]);
    let text = error(2, &["convolve", arg(&camera), "-o", arg(&picture), "-k", "box:3", "--nan", "drop"]);
    assert!(text.contains("propagate") && text.contains("ignore"), "{text}");
}

#[test]
fn edges_are_those_of_scipy() {
    let folder = tempdir().unwrap();
    let [input, output] = ["in.npy", "out.npy"].map(|name| folder.path().join(name));
    let image = Array2::from_shape_fn((7, 9), |(y, x)| ((y * 31 + x * x * 7) % 50) as i32);
    write_npy(&input, &image).unwrap();
    let axes = Axes::last2();
    for (name, filter) in [
        ("sobel-x", filters::sobel(-1, &axes)),
        ("sobel-y", filters::sobel(-2, &axes)),
        ("prewitt-x", filters::prewitt(-1, &axes)),
        ("prewitt-y", filters::prewitt(-2, &axes)),
    ] {
        convolve(&input, &output, &["-k", name]);
        let expected: ArrayD<i32> = Backend::cpu().separable(&image, &filter.unwrap()).unwrap().into_ndarray().unwrap();
        assert_eq!(read_npy::<_, ArrayD<i32>>(&output).unwrap(), expected, "{name}");
    }
}

#[test]
fn a_folder_is_done_past_its_broken_files() {
    let folder = tempdir().unwrap();
    let (input, output) = (folder.path().join("in"), folder.path().join("a/b/out"));
    fs::create_dir(&input).unwrap();
    for name in ["astronaut.png", "camera.png", "chelsea.png"] {
        fs::copy(data(name), input.join(name)).unwrap();
    }
    fs::write(input.join("broken.png"), b"this is no picture").unwrap();
    fs::write(input.join("notes.txt"), b"passed over").unwrap();
    fs::write(input.join("odd.npy"), npy_header("<f8", "(9223372036854775807, 0, 9)")).unwrap();
    let mut bytes = fs::read(data("camera.png")).unwrap();
    bytes.truncate(5000);
    fs::write(input.join("cut.png"), bytes).unwrap();
    let args = ["convolve", arg(&input), "-o", arg(&output), "-k", "gaussian:1.5"];
    let run = unisono(&args).assert().code(1).get_output().clone();
    let errors = String::from_utf8(run.stderr).unwrap();
    assert_eq!(errors.lines().count(), 3, "{errors}");
    assert!(errors.contains("odd.npy: got shape"), "{errors}");
    assert!(errors.contains("broken.png: ") && errors.contains("cut.png: "), "{errors}");
    assert!(String::from_utf8(run.stdout).unwrap().contains("3 of 6 files"));
    let mut names: Vec<_> =
        fs::read_dir(&output).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["astronaut.png", "camera.png", "chelsea.png"]);
    let run = unisono(&[&args[..], &["--json"]].concat()).assert().code(1).get_output().clone();
    let report: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((report["done"].as_u64(), report["failed"].as_u64()), (Some(3), Some(3)));
    let files = report["files"].as_array().unwrap();
    assert!(files.iter().all(|file| file["ok"].as_bool().unwrap() == file["error"].is_null()));
}

#[test]
fn one_picture_is_reported_in_one_line() {
    let folder = tempdir().unwrap();
    let output = folder.path().join("blurred.jpg");
    let input = data("chelsea.png");
    let args = ["convolve", arg(&input), "-o", arg(&output), "-k", "gaussian:2"];
    let text = stdout(&args);
    assert!(text.lines().count() == 1 && text.contains("chelsea.png → ") && text.ends_with("on cpu\n"), "{text}");
    assert_eq!(json(&args)["files"][0]["ok"], serde_json::Value::Bool(true));
    assert_eq!(image::image_dimensions(&output).unwrap(), (451, 300));
}

#[test]
fn strides_keep_some_pixels_and_origins_shift_the_rest() {
    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let input = path("in.npy");
    write_npy(&input, &Array2::from_shape_fn((9, 11), |(y, x)| (7 * y + x * x) as i32)).unwrap();
    let run = |name: &str, rest: &[&str]| -> Array2<i32> {
        convolve(&input, &path(name), &[&["-k", arg(&path("k.npy")), "--boundary", "wrap"], rest].concat());
        read_npy(path(name)).unwrap()
    };
    write_npy(path("k.npy"), &array![[1i32, 2, 3], [4, 5, 6], [7, 8, 9]]).unwrap();
    let whole = run("whole.npy", &[]);
    assert_eq!(run("half.npy", &["--stride", "2,3"]), whole.slice(ndarray::s![..;2, ..;3]));
    let moved = run("moved.npy", &["--origin", "1,-1"]);
    assert!(moved.indexed_iter().all(|((y, x), v)| *v == whole[[(y + 1) % 9, (x + 10) % 11]]));
    let spread = run("spread.npy", &["--dilation", "2"]);
    let mut zeros = Array2::<i32>::zeros((5, 5));
    zeros.slice_mut(ndarray::s![..;2, ..;2]).assign(&array![[1, 2, 3], [4, 5, 6], [7, 8, 9]]);
    write_npy(path("k.npy"), &zeros).unwrap();
    assert_eq!(run("zeros.npy", &[]), spread);
    let picture = path("in.png");
    ImageBuffer::from_fn(9, 7, |x, y| LumaA([x as u8, 30 * y as u8])).save(&picture).unwrap();
    convolve(&picture, &path("out.png"), &["-k", "identity", "--stride", "2"]);
    let DynamicImage::ImageLumaA8(result) = image::open(path("out.png")).unwrap() else { panic!("kept grey with alpha") };
    assert_eq!(result.dimensions(), (5, 4));
    assert!(result.enumerate_pixels().all(|(x, y, p)| *p == LumaA([2 * x as u8, 60 * y as u8])));
    assert!(
        error(2, &["convolve", arg(&picture), "-o", arg(&path("no.png")), "-k", "box:3", "--origin", "2"])
            .contains("origin: got 2")
    );
}

#[test]
fn what_cannot_be_done_is_said() {
    let folder = tempdir().unwrap();
    let input = folder.path().join("camera.png");
    fs::copy(data("camera.png"), &input).unwrap();
    let out = folder.path().join("out.png");
    let run = |code, input: &Path, output: &Path, rest: &[&str]| {
        error(code, &[&["convolve", arg(input), "-o", arg(output)], rest].concat())
    };
    let before = fs::read(&input).unwrap();
    assert!(run(2, &input, &input, &["-k", "box:3"]).contains("--overwrite"));
    assert!(run(2, &input, folder.path(), &["-k", "box:3"]).contains("--overwrite"));
    assert_eq!(fs::read(&input).unwrap(), before);
    assert!(run(2, &input, &out, &["-k", "blurry"]).contains("kernel \"blurry\" is not known"));
    assert!(run(2, &input, &out, &["-k", "gaussian:-1"]).contains("sigma"));
    assert!(run(1, &input, &out, &["-k", "no.npy"]).contains("no.npy: No such file"));
    assert!(run(2, &input, &out, &["-k", "box:3", "--mode", "half"]).contains("half"));
    assert!(run(2, &input, &out, &["-k", "box:3", "--boundary", "round"]).contains("round"));
    assert!(run(2, &input, &out, &["-k", "box:3", "--boundary", "wrap", "--value", "1"]).contains("--boundary constant"));
    assert!(run(2, &input, &out, &["-k", "box:3", "--boundary", "reflect", "--value", "1"]).contains("--boundary constant"));
    assert!(run(2, &input, &out, &["-k", "box:3", "--stride", "0"]).contains("at least 1"));
    assert!(run(2, &input, &out, &["-k", "box:3", "--stride", "2,2,2"]).contains("strides: got 3 of them"));
    assert!(run(2, &input, &out, &["-k", "box:3", "--origin", "99999"]).contains("origin: got 99999"));
    assert!(run(2, &input, &out.with_extension("npy"), &["-k", "sharpen", "--dtype", "complex64"]).contains("a real dtype"));
    assert!(run(2, &input, &folder.path().join("out.gif"), &["-k", "box:3"]).contains("out.gif: expected"));
    assert!(run(1, &folder.path().join("none.png"), &out, &["-k", "box:3"]).contains("none.png: No such file"));
    assert!(run(1, &input, &folder.path().join("no/where.png"), &["-k", "box:3"]).contains("where.png: No such file"));
    let rgba = folder.path().join("rgba.png");
    RgbaImage::new(3, 3).save(&rgba).unwrap();
    assert!(run(1, &rgba, &folder.path().join("out.jpg"), &["-k", "box:3"]).contains("JPEG holds no alpha"));
    let wide = folder.path().join("wide.npy");
    write_npy(&wide, &Array2::<f64>::zeros((3, 3))).unwrap();
    assert!(run(1, &wide, &out, &["-k", "box:3"]).contains("--dtype uint8"));
    assert!(!out.exists());
    convolve(&input, &input, &["-k", "box:3", "--overwrite"]);
    assert_ne!(fs::read(&input).unwrap(), before);
    let kernel = folder.path().join("k.npy");
    write_npy(&kernel, &array![[0.25f32, 0.5, 0.25]]).unwrap();
    assert!(run(2, &input, &kernel, &["-k", arg(&kernel)]).contains("--overwrite"));
}

#[test]
fn each_image_is_explained() {
    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_npy(path("in.npy"), &Array2::<f32>::ones((9, 8))).unwrap();
    let camera = data("camera.png");
    for (input, kernel, word) in [
        (&camera, "gaussian:2", "separable"),
        (&camera, "sobel-x", "separable"),
        (&camera, "sharpen", "direct"),
        (&path("in.npy"), "box:3", ""),
    ] {
        let output = path("out").with_extension(input.extension().unwrap());
        let run = unisono(&["convolve", arg(input), "-o", arg(&output), "-k", kernel, "--explain"]);
        let text = String::from_utf8({ run }.assert().success().get_output().stderr.clone()).unwrap();
        assert!(text.lines().count() == 1 && text.starts_with("cpu: ") && text.contains(word), "{kernel}: {text}");
    }
}

#[test]
fn pages_that_are_not_read_are_said() {
    let folder = tempdir().unwrap();
    let (input, output) = (folder.path().join("in.tif"), folder.path().join("out.png"));
    for pages in [1, 3] {
        let mut encoder = tiff::encoder::TiffEncoder::new(fs::File::create(&input).unwrap()).unwrap();
        for page in 0..pages {
            encoder.write_image::<tiff::encoder::colortype::Gray8>(3, 2, &[10 * page; 6]).unwrap();
        }
        drop(encoder);
        let run =
            unisono(&["convolve", arg(&input), "-o", arg(&output), "-k", "identity"]).assert().success().get_output().clone();
        let text = String::from_utf8(run.stderr).unwrap();
        assert_eq!(text.contains("in.tif: has several pages; only the first is read"), pages > 1, "{text}");
        assert_eq!(image::open(&output).unwrap().into_luma8().into_raw(), [0; 6]);
    }
}

#[test]
fn products_give_the_same_picture_in_passes() {
    let folder = tempdir().unwrap();
    let (input, passes, direct) =
        (folder.path().join("in.png"), folder.path().join("passes.png"), folder.path().join("direct.png"));
    RgbaImage::from_fn(40, 30, |x, y| Rgba([(x * 6) as u8, (y * 8) as u8, (x * y) as u8, 255])).save(&input).unwrap();
    for kernel in ["gaussian:1.5", "box:3", "sobel-x", "sobel-y", "identity"] {
        for direction in [&[][..], &["--correlate"]] {
            convolve(&input, &passes, &[&["-k", kernel], direction].concat());
            convolve(&input, &direct, &[&["-k", kernel, "--algorithm", "direct"], direction].concat());
            let [a, b] = [&passes, &direct].map(|path| image::open(path).unwrap().into_rgba8());
            assert!(a.as_raw().iter().zip(b.as_raw()).all(|(a, b)| a.abs_diff(*b) <= 1), "{kernel}");
        }
    }
}

#[test]
fn little_memory_gives_the_same_picture() {
    let folder = tempdir().unwrap();
    let input = folder.path().join("in.png");
    RgbImage::from_fn(170, 130, |x, y| Rgb([x * y, x + y, 3 * x].map(|v| v as u8))).save(&input).unwrap();
    let [whole, pieces] = ["whole.png", "pieces.png"].map(|name| folder.path().join(name));
    convolve(&input, &whole, &["-k", "gaussian:2"]);
    convolve(&input, &pieces, &["-k", "gaussian:2", "--memory", "256KiB"]);
    assert_eq!(fs::read(&whole).unwrap(), fs::read(&pieces).unwrap());
    let message = error(2, &["convolve", arg(&input), "-o", arg(&pieces), "-k", "gaussian:2", "--memory", "much"]);
    assert!(message.contains("expected a size"), "{message}");
}
