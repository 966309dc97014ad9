;; Asks for everything that WASI could give, and answers with 28 bytes of data:
;; the numbers of arguments and of environment variables, the errors of
;; fd_prestat_get(3), path_open(3), and sock_accept(3), and 8 random bytes.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $fd_prestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_accept" (func $sock_accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "/etc/passwd")

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param $size i32) (result i32) (i32.const 4096))
  (func (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (i32.store16 (i32.const 256) (i32.const 0x1c2a)) ;; field 5, 28 bytes
    (drop (call $args_sizes_get (i32.const 258) (i32.const 300)))
    (drop (call $environ_sizes_get (i32.const 262) (i32.const 300)))
    (i32.store (i32.const 266) (call $fd_prestat_get (i32.const 3) (i32.const 300)))
    (i32.store (i32.const 270)
      (call $path_open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 11) (i32.const 0)
        (i64.const -1) (i64.const -1) (i32.const 0) (i32.const 300)))
    (i32.store (i32.const 274) (call $sock_accept (i32.const 3) (i32.const 0) (i32.const 300)))
    (drop (call $random_get (i32.const 278) (i32.const 8)))
    (i64.const 0x000001000000001e)))
