package devserver

import (
	"context"
	"encoding/base64"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

var (
	errNoToken  = status.Error(codes.Unauthenticated, "Invalid credentials: could not find bearer token")
	errBadToken = status.Error(codes.Unauthenticated, "Invalid credentials: could not decode bearer token")
	errBadKey   = status.Error(codes.Unauthenticated, "Invalid credentials")
)

type callerKey struct{}

// caller is the key that the call came with.
func caller(ctx context.Context) *apiKey {
	k, _ := ctx.Value(callerKey{}).(*apiKey)
	return k
}

// authenticator lets a call pass whose key may make it. With AuthOff every call
// is the administrator's.
func authenticator(o Options, st *state) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		k := st.admin
		if !o.AuthOff {
			var err error
			if k, err = st.authenticate(ctx); err != nil {
				return nil, err
			}
			if err := st.permit(k, req, o.Unlock); err != nil {
				return nil, err
			}
		}
		return next(context.WithValue(ctx, callerKey{}, k), req)
	}
}

func (s *state) authenticate(ctx context.Context) (*apiKey, error) {
	key, secret, err := credentialsOf(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keysByKey[key]
	if k == nil || !k.accepts(secret) {
		return nil, errBadKey
	}
	return k, nil
}

// credentialsOf reads the key and the secret from the call's metadata.
func credentialsOf(ctx context.Context) (key, secret string, err error) {
	values := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(values) == 0 {
		return "", "", errNoToken
	}
	token, ok := strings.CutPrefix(values[0], "Bearer ")
	if !ok {
		return "", "", errNoToken
	}
	text, err := base64.StdEncoding.Strict().DecodeString(token)
	if err != nil {
		return "", "", errBadToken
	}
	key, secret, ok = strings.Cut(string(text), ":")
	if !ok || strings.Contains(secret, ":") {
		return "", "", errBadToken
	}
	return key, secret, nil
}
