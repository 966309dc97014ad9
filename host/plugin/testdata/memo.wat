;; Remembers: every message adds one to a byte of memory and to a global, and
;; gets both as data, with the memory's size in pages. Byte 0 of the event, 2
;; bytes into the frame, is how many pages to grow by first.
(module
  (memory (export "memory") 2)
  (global $count (mut i32) (i32.const 0))
  (global $ready (mut i32) (i32.const 0))

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param $size i32) (result i32) (i32.const 65536))

  ;; What configure has left is where every message begins.
  (func (export "configure") (param i32 i32) (result i64)
    (global.set $count (i32.const 10))
    (i32.store8 (i32.const 100) (i32.const 20))
    (i64.const 0))

  (func (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (if (local.get $len)
      (then (drop (memory.grow (i32.load8_u (i32.add (local.get $ptr) (i32.const 2)))))))
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (i32.store8 (i32.const 100) (i32.add (i32.load8_u (i32.const 100)) (i32.const 1)))
    (i32.store16 (i32.const 256) (i32.const 0x032a)) ;; field 5, 3 bytes
    (i32.store8 (i32.const 258) (global.get $count))
    (i32.store8 (i32.const 259) (i32.load8_u (i32.const 100)))
    (i32.store8 (i32.const 260) (memory.size))
    (i64.const 0x0000010000000005)))
