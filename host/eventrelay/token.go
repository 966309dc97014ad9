package eventrelay

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/relayhost/relayhost/host/secret"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// bearer sends a token in each call's metadata.
type bearer struct {
	token  secret.Text
	secure bool
}

// bearer is nil if there is no token.
func (o Options) bearer() (*bearer, error) {
	token := o.Token.Reveal()
	if token == "" {
		return nil, nil
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, errTokenText
	}
	return &bearer{token: o.Token, secure: o.Secure()}, nil
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b *bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + b.token.Reveal()}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials: a token
// meant for an encrypted connection is never sent over another.
func (b *bearer) RequireTransportSecurity() bool { return b.secure }

// redact takes the token out of a server's error message.
func (b *bearer) redact(
	ctx context.Context, method string, req, reply any,
	cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	err := invoke(ctx, method, req, reply, cc, opts...)
	if err == nil || !strings.Contains(err.Error(), b.token.Reveal()) {
		return err
	}
	s := status.Convert(err)
	return status.Error(s.Code(), strings.ReplaceAll(s.Message(), b.token.Reveal(), b.token.String()))
}

var (
	errTokenText = errors.New("the token has a line break, or a character that is not ASCII" +
		"\nhint: a token is one line of base64; look for a line break at its end")
	errTokenForm = errors.New("the token is not base64 of key:secret" +
		"\nhint: make it of an API key with: printf %s \"$KEY:$SECRET\" | base64 -w0")
)

// checkToken repeats the server's own check of a token's form.
func checkToken(o Options) error {
	b, err := o.bearer()
	if b == nil || err != nil {
		return err
	}
	pair, err := base64.StdEncoding.DecodeString(o.Token.Reveal())
	if key, secret, ok := strings.Cut(string(pair), ":"); err != nil || !ok || key == "" || secret == "" {
		return errTokenForm
	}
	return nil
}
