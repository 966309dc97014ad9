;; A mutable global of each numeric type among constants.
(module
  (global i32 (i32.const 1))
  (global $a (mut i32) (i32.const 2))
  (global $b (mut i64) (i64.const 3))
  (global f64 (f64.const 4))
  (global $c (mut f32) (f32.const 5))
  (global $d (mut f64) (f64.const 6))
  (func (export "change")
    (global.set $a (i32.const -7))
    (global.set $b (i64.const -8))
    (global.set $c (f32.const 0.5))
    (global.set $d (f64.const 0.25)))
  (func (export "read") (result f64)
    (f64.add
      (f64.add (f64.convert_i32_s (global.get $a)) (f64.convert_i64_s (global.get $b)))
      (f64.add (f64.promote_f32 (global.get $c)) (global.get $d)))))
