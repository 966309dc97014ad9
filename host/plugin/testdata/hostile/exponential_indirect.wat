;; It makes 2^60 calls through a table, without a loop.
;; Must happen: the deadline ends the call.
(module
  (memory (export "memory") 2)
  (global $used (mut i32) (i32.const 0))
  (type $f (func (param i32)))
  (table 1 funcref)
  (elem (i32.const 0) $twice)
  (func $twice (param $depth i32)
    (if (local.get $depth)
      (then
        (call_indirect (type $f) (i32.sub (local.get $depth) (i32.const 1)) (i32.const 0))
        (call_indirect (type $f) (i32.sub (local.get $depth) (i32.const 1)) (i32.const 0)))))

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))
  (data (i32.const 8) "\10\01\1a\05stale")

  ;; A long message is the attack; a short one is handled.
  (func $handle (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    ;; 10 01 1a 05 "stale": what a discarded instance would say.
    (if (global.get $used) (then (return (i64.const 0x0000000800000009))))
    (if (i32.lt_u (local.get $len) (i32.const 100)) (then (return (i64.const 0))))
    (global.set $used (i32.const 1))
    (call $twice (i32.const 60))
    (i64.const 0)))
