;; A guest that behaves and is never idle: it hashes its input a thousand times.
(module
  (memory (export "memory") 2)
  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (local $round i32) (local $at i32) (local $hash i32)
    (loop $rounds
      (local.set $at (i32.const 0))
      (loop $bytes
        (local.set $hash
          (i32.mul
            (i32.xor (local.get $hash) (i32.load8_u (i32.add (local.get $ptr) (local.get $at))))
            (i32.const 16777619)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $bytes (i32.lt_u (local.get $at) (local.get $len))))
      (local.set $round (i32.add (local.get $round) (i32.const 1)))
      (br_if $rounds (i32.lt_u (local.get $round) (i32.const 1000))))
    (i32.store (i32.const 512) (local.get $hash))
    (i64.const 0)))
