;; It answers for message 4294967295 of a batch.
;; Must happen: the whole output is refused.
(module
  (memory (export "memory") 2)
  (data (i32.const 512) "\0a\06\08\ff\ff\ff\ff\0f")

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))

  (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0))

  (func (export "handle_batch") (param $ptr i32) (param $len i32) (result i64)
    (i64.const 0x0000020000000008)))
