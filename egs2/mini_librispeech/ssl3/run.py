"""Pre-train UniWav with ESPnet3's trainer: doc/espnet3.md."""

from espnet3.systems.launch import launch

from espnet_uniwav.integrations.espnet3.system import UniWavSystem

if __name__ == "__main__":
    launch(UniWavSystem, conf_package="espnet_uniwav.integrations.espnet3")
