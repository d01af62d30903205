#pragma once
// MQTT 3.1.1 over a socket of this computer, for ESPHome's own MQTT client: what ESP-IDF's library does on a board.
// Publishes and subscribes with QoS 0 only.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "mqtt_backend.h"

namespace esphome::mqtt {

class MQTTBackendHost final : public MQTTBackend {
 public:
  void set_keep_alive(uint16_t keep_alive) final { this->keep_alive_ = keep_alive; }
  void set_client_id(const char *client_id) final { this->client_id_ = client_id; }
  void set_clean_session(bool clean_session) final { this->clean_session_ = clean_session; }
  void set_credentials(const char *username, const char *password) final {
    this->username_ = username == nullptr ? "" : username;
    this->password_ = password == nullptr ? "" : password;
  }
  void set_will(const char *topic, uint8_t /*qos*/, bool retain, const char *payload) final {
    this->will_topic_ = topic;
    this->will_payload_ = payload;
    this->will_retain_ = retain;
  }
  void set_server(network::IPAddress /*ip*/, uint16_t /*port*/) final {}
  void set_server(const char *host, uint16_t port) final {
    this->host_ = host;
    this->port_ = port;
  }
  void set_on_connect(std::function<on_connect_callback_t> &&callback) final {
    this->on_connect_.add(std::move(callback));
  }
  void set_on_disconnect(std::function<on_disconnect_callback_t> &&callback) final {
    this->on_disconnect_.add(std::move(callback));
  }
  void set_on_subscribe(std::function<on_subscribe_callback_t> && /*callback*/) final {}
  void set_on_unsubscribe(std::function<on_unsubscribe_callback_t> && /*callback*/) final {}
  void set_on_message(std::function<on_message_callback_t> &&callback) final {
    this->on_message_.add(std::move(callback));
  }
  void set_on_publish(std::function<on_publish_user_callback_t> && /*callback*/) final {}
  bool connected() const final { return this->connected_; }

  void connect() final {
    this->close_();
    this->input_.clear();
    this->failed_ = !this->open_();
    if (this->failed_)
      return;
    const bool user = !this->username_.empty();
    std::string body = string_("MQTT") + '\x04';
    body += static_cast<char>((user ? 0xC0 : 0) | (this->will_retain_ ? 0x20 : 0) | 0x04 |
                              (this->clean_session_ ? 0x02 : 0));
    body += word_(this->keep_alive_) + string_(this->client_id_);
    body += string_(this->will_topic_) + string_(this->will_payload_);
    if (user)
      body += string_(this->username_) + string_(this->password_);
    this->send_(0x10, body);
  }
  void disconnect() final {
    if (this->connected_)
      this->send_(0xE0, "");
    this->close_();
  }
  bool subscribe(const char *topic, uint8_t /*qos*/) final {
    return this->send_(0x82, word_(++this->packet_id_) + string_(topic) + '\0');
  }
  bool unsubscribe(const char *topic) final { return this->send_(0xA2, word_(++this->packet_id_) + string_(topic)); }
  bool publish(const char *topic, const char *payload, size_t length, uint8_t /*qos*/, bool retain) final {
    return this->send_(retain ? 0x31 : 0x30, string_(topic) + std::string(payload, length));
  }
  using MQTTBackend::publish;

  void loop() final {
    if (this->failed_) {
      this->failed_ = false;
      this->on_disconnect_.call(MQTTClientDisconnectReason::TCP_DISCONNECTED);
      return;
    }
    if (this->socket_ < 0)
      return;
    char buffer[1024];
    ssize_t got;
    while ((got = ::recv(this->socket_, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0)
      this->input_.append(buffer, got);
    const bool gone = got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
    while (this->take_()) {
    }
    if (gone && this->socket_ >= 0)
      this->lose_(MQTTClientDisconnectReason::TCP_DISCONNECTED);
    if (this->connected_ && millis() - this->sent_at_ > this->keep_alive_ * 700U)
      this->send_(0xC0, "");
  }

 protected:
  static std::string word_(uint16_t value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 0xFF)}; }
  static std::string string_(const std::string &text) { return word_(text.size()) + text; }

  bool open_() {
    addrinfo hints{}, *found = nullptr;
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(this->host_.c_str(), std::to_string(this->port_).c_str(), &hints, &found) != 0)
      return false;
    this->socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool opened = ::connect(this->socket_, found->ai_addr, found->ai_addrlen) == 0;
    freeaddrinfo(found);
    if (!opened)
      this->close_();
    return opened;
  }
  void close_() {
    if (this->socket_ >= 0)
      ::close(this->socket_);
    this->socket_ = -1;
    this->connected_ = false;
  }
  void lose_(MQTTClientDisconnectReason reason) {
    this->close_();
    this->on_disconnect_.call(reason);
  }
  bool send_(uint8_t type, const std::string &body) {
    std::string packet(1, static_cast<char>(type));
    size_t length = body.size();
    do {
      packet += static_cast<char>((length & 0x7F) | (length > 0x7F ? 0x80 : 0));
      length >>= 7;
    } while (length > 0);
    packet += body;
    this->sent_at_ = millis();
    return this->socket_ >= 0 &&
           ::send(this->socket_, packet.data(), packet.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(packet.size());
  }
  /// Handles one packet; false if none is complete.
  bool take_() {
    size_t length = 0, at = 1;
    for (uint8_t shift = 0;; shift += 7, at++) {
      if (at >= this->input_.size())
        return false;
      length |= static_cast<size_t>(this->input_[at] & 0x7F) << shift;
      if ((this->input_[at] & 0x80) == 0)
        break;
    }
    at++;
    if (this->input_.size() < at + length)
      return false;
    const auto type = static_cast<uint8_t>(this->input_[0]);
    const std::string body = this->input_.substr(at, length);
    this->input_.erase(0, at + length);
    if (type == 0x20) {
      this->welcome_(static_cast<uint8_t>(body.at(1)), body.at(0) != 0);
    } else if ((type & 0xF0) == 0x30) {
      const size_t size = static_cast<uint8_t>(body.at(0)) << 8 | static_cast<uint8_t>(body.at(1));
      const std::string topic = body.substr(2, size), payload = body.substr(2 + size);
      this->on_message_.call(topic.c_str(), payload.data(), payload.size(), 0, payload.size());
    }
    return this->socket_ >= 0;
  }
  void welcome_(uint8_t code, bool session_present) {
    if (code != 0) {
      this->lose_(static_cast<MQTTClientDisconnectReason>(code));  // the same numbers
      return;
    }
    this->connected_ = true;
    this->on_connect_.call(session_present);
  }

  int socket_{-1};
  bool connected_{false};
  bool failed_{false};
  uint16_t port_{1883};
  uint16_t keep_alive_{15};
  uint16_t packet_id_{0};
  uint32_t sent_at_{0};
  bool clean_session_{false};
  bool will_retain_{false};
  std::string host_, client_id_, username_, password_, will_topic_, will_payload_, input_;
  CallbackManager<on_connect_callback_t> on_connect_;
  CallbackManager<on_disconnect_callback_t> on_disconnect_;
  CallbackManager<on_message_callback_t> on_message_;
};

}  // namespace esphome::mqtt
