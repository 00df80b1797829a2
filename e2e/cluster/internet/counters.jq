# Packets and bytes as the kernel counted them at the door, beside the payload bytes that a
# server read. A row without a packet is not there.
def rows: [$arrivals.nftables[].set // empty | .elem // [] | .[].elem
  | {address: .val.concat[0], protocol: .val.concat[1], port: (.val.concat[2] // 0),
     packets: .counter.packets, bytes: .counter.bytes}];
def payload_of($row): [$payload[]
  | select(.address == $row.address and .protocol == $row.protocol and .port == $row.port)
  | .payload] | add // 0;
rows | map(. as $row | . + {payload: payload_of($row)}) | sort_by(.address, .protocol, .port)
