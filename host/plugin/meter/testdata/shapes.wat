;; Functions of every shape that the rewriter treats on its own. Each takes an
;; i32 that steers it.
(module
  (memory (export "memory") 4)
  (table 4 funcref)
  (elem (i32.const 0) $small $leaf $sum $fib)
  (global $g (mut i32) (i32.const 0))
  (type $unary (func (param i32) (result i32)))

  (func $small (export "small") (param i32) (result i32)
    (if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.add (i32.const 2) (i32.const 3)))))

  ;; Calls nothing, loops: counts in a local.
  (func $leaf (export "leaf") (param $n i32) (result i32)
    (local $i i32) (local $sum i32)
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (local.get $i)))
      (if (i32.and (local.get $i) (i32.const 1)) (then (local.set $sum (i32.xor (local.get $sum) (i32.const 7)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $sum))

  ;; A loop in a loop, with exits from the inner one to everywhere.
  (func $nest (export "nest") (param $n i32) (result i32)
    (local $i i32) (local $j i32)
    (block $out (result i32)
      (loop $outer
        (local.set $j (i32.const 0))
        (loop $inner
          (if (i32.eq (i32.mul (local.get $i) (local.get $j)) (i32.const 77)) (then (return (i32.const -1))))
          (drop (br_if $out (local.get $j) (i32.gt_u (local.get $i) (i32.const 50))))
          (local.set $j (i32.add (local.get $j) (i32.const 1)))
          (br_if $inner (i32.lt_u (local.get $j) (local.get $i))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $outer (i32.lt_u (local.get $i) (local.get $n))))
      (local.get $i)))

  ;; A tight loop in a function that calls: the count moves to a local and back
  ;; at each of its exits.
  (func $mixed (export "mixed") (param $n i32) (result i32)
    (local $i i32)
    (local.set $n (call $small (local.get $n)))
    (block $a
      (block $b
        (block $c
          (loop $next
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_table $next $a $b $c $next (i32.rem_u (i32.add (local.get $i) (local.get $n)) (i32.const 9)))))
        (return (call $leaf (local.get $i))))
      (drop (call $small (local.get $i))))
    (loop $again (result i32)
      (local.set $i (i32.sub (local.get $i) (i32.const 1)))
      (br_if $again (i32.gt_s (local.get $i) (i32.const 0)))
      (call $sum (i32.const 5))))

  ;; A loop that is left by return, by br and by falling through.
  (func $sum (export "sum") (param $n i32) (result i32)
    (local $s i32)
    (drop (call $small (i32.const 0)))
    (block $out
      (loop $next
        (br_if $out (i32.eqz (local.get $n)))
        (if (i32.gt_u (local.get $s) (i32.const 1000)) (then (return (local.get $s))))
        (local.set $s (i32.add (local.get $s) (local.get $n)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $next)))
    (global.set $g (local.get $s))
    (local.get $s))

  (func $fib (export "fib") (param $n i32) (result i32)
    (if (result i32) (i32.lt_u (local.get $n) (i32.const 2))
      (then (local.get $n))
      (else
        (i32.add
          (call $fib (i32.sub (local.get $n) (i32.const 1)))
          (call $fib (i32.sub (local.get $n) (i32.const 2)))))))

  (func (export "indirect") (param $n i32) (result i32)
    (local $i i32) (local $s i32)
    (loop $next
      (local.set $s (i32.add (local.get $s)
        (call_indirect (type $unary) (local.get $i) (i32.and (local.get $i) (i32.const 3)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (i32.and (local.get $n) (i32.const 15)))))
    (local.get $s))

  ;; Blocks that carry values, and dead code.
  (func (export "values") (param $n i32) (result i32)
    (local $i i32)
    (block $out (result i32 i32)
      (loop $next (result i32 i32)
        (local.set $i (i32.add (local.get $i) (i32.const 3)))
        (i32.const 1) (i32.const 2)
        (br_if $out (i32.gt_u (local.get $i) (local.get $n)))
        (drop) (drop)
        (br $next)
        (unreachable)
        (loop $dead (br $dead)))
      )
    (i32.add))

  (func (export "bulk") (param $n i32) (result i32)
    (memory.fill (i32.const 100) (i32.const 7) (i32.and (local.get $n) (i32.const 65535)))
    (memory.copy (i32.const 5000) (i32.const 100) (i32.and (local.get $n) (i32.const 65535)))
    (drop (memory.grow (i32.and (local.get $n) (i32.const 1))))
    (i32.load8_u (i32.const 5000)))

  (func (export "params") (param $n i32) (result i32)
    (local.get $n)
    (loop $next (param i32) (result i32)
      (i32.const 1) (i32.sub)
      (local.tee $n)
      (local.get $n)
      (br_if $next (i32.gt_s (local.get $n) (i32.const 0)))
      (i32.add))))
