package devserver

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"

	pb "github.com/relayhost/relayhost/proto/eventrelay"
)

type jwtService struct {
	pb.UnimplementedJWTServer
	now func() time.Time
}

// CreateJWT signs a token (HS256) with the caller's own secret. No call of this
// server takes it: on the real one it is for web sockets.
func (s *jwtService) CreateJWT(ctx context.Context, r *pb.CreateJWTRequest) (*pb.CreateJWTResponse, error) {
	k := caller(ctx)
	claims := map[string]any{"sub": k.ID, "iat": s.now().Unix()}
	if r.GetExpiration() != 0 {
		claims["exp"] = r.GetExpiration()
	}
	jwt, err := signJWT(claims, k.Secret)
	if err != nil {
		return nil, err
	}
	return &pb.CreateJWTResponse{Jwt: jwt}, nil
}

func signJWT(claims map[string]any, secret string) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(payload)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil)), nil
}
