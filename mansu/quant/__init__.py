"""NF4 bins, the deployed model, and the account of what quantization keeps."""

from mansu.quant.deployed import binned as binned
from mansu.quant.deployed import deployed as deployed
from mansu.quant.deployed import linear_weights as linear_weights
from mansu.quant.deployed import load_real_4bit as load_real_4bit
from mansu.quant.permanence import Account as Account
from mansu.quant.permanence import MatrixAccount as MatrixAccount
from mansu.quant.permanence import account as account
from mansu.quant.permanence import to_frame as to_frame
