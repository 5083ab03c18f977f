//! C's `pow`, from a library in Rust.
//!
//! The AWS SDK takes a cube root where it adapts its rate to throttling, which nothing here has it do. That one symbol had
//! every function load `libm.so` at its start: a twentieth of the receiver's memory, and one file more to find on a cold disk.
//! With the symbol in the binary the linker leaves the library out, and `make bench` shows it.
#![no_std]

/// `x` to the power of `y` (<https://pubs.opengroup.org/onlinepubs/9799919799/functions/pow.html>).
#[must_use]
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "it has C's name and C's signature, and does what C says")]
pub extern "C" fn pow(x: f64, y: f64) -> f64 {
    libm::pow(x, y)
}

#[cfg(test)]
mod tests {
    use super::pow;

    #[test]
    fn is_the_power() {
        for (x, y, power) in
            [(2.0, 10.0, 1024.0), (2.0, -1.0, 0.5), (9.0, 0.5, 3.0), (7.0, 0.0, 1.0), (-2.0, 3.0, -8.0)]
        {
            assert!((pow(x, y) - power).abs() <= f64::EPSILON * power.abs(), "{x} to the power of {y}");
        }
        assert!((pow(27.0, 1.0 / 3.0) - 3.0).abs() < 1e-15);
        assert!(pow(-8.0, 1.0 / 3.0).is_nan());
    }
}
