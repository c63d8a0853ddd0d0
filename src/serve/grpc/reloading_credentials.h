#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "serve/grpc/grpc_server.h"

namespace xray {

/// TLS with the certificate that is served at the moment of a handshake. Clients are asked for none.
std::shared_ptr<grpc::ServerCredentials> reloading_credentials(GrpcCertificate certificate);

}  // namespace xray
