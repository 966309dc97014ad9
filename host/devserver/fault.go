package devserver

import (
	"context"
	"log/slog"
	"runtime/debug"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errInternal is what the real server answers when it has no better answer.
var errInternal = status.Error(codes.Unknown, "Internal Server Error")

// shield turns a panic, and an error that carries no gRPC status, into
// errInternal, and logs what was behind it.
func shield(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
		defer func() {
			if p := recover(); p != nil {
				log.Error("handler panicked", "method", info.FullMethod, "panic", p, "stack", string(debug.Stack()))
				resp, err = nil, errInternal
			}
		}()
		resp, err = next(ctx, req)
		if _, ok := status.FromError(err); ok {
			return resp, err
		}
		log.Warn("answered an internal error", "method", info.FullMethod, "error", err)
		return nil, errInternal
	}
}
