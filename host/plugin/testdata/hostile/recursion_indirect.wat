;; It calls itself through a table for ever.
;; Must happen: it traps when its stack is used up.
(module
  (memory (export "memory") 2)
  (global $used (mut i32) (i32.const 0))
  (type $f (func))
  (table 1 funcref)
  (elem (i32.const 0) $a)
  (func $a (call_indirect (type $f) (i32.const 0)))

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))
  (data (i32.const 8) "\10\01\1a\05stale")

  ;; A long message is the attack; a short one is handled.
  (func $handle (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    ;; 10 01 1a 05 "stale": what a discarded instance would say.
    (if (global.get $used) (then (return (i64.const 0x0000000800000009))))
    (if (i32.lt_u (local.get $len) (i32.const 100)) (then (return (i64.const 0))))
    (global.set $used (i32.const 1))
    (call_indirect (type $f) (i32.const 0))
    (i64.const 0)))
